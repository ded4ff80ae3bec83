-- helios: requires timescaledb-tsl
-- Only order books are dropped. Audit rows never are, and neither are trades: imported history would
-- be gone after a day, and a later refresh would take its rollups with it.

ALTER TABLE helios.market_ohlc SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'pair, timeframe', timescaledb.orderby = 'open_time DESC');
CALL add_columnstore_policy('helios.market_ohlc', after => INTERVAL '30 days');

ALTER TABLE helios.orderbook_snapshots SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'pair', timescaledb.orderby = 'ts DESC, seq DESC');
CALL add_columnstore_policy('helios.orderbook_snapshots', after => INTERVAL '2 days');
SELECT add_retention_policy('helios.orderbook_snapshots', drop_after => INTERVAL '30 days');

ALTER TABLE helios.market_trades SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'pair', timescaledb.orderby = 'ts DESC, trade_id DESC');
CALL add_columnstore_policy('helios.market_trades', after => INTERVAL '3 days');

ALTER TABLE helios.engineered_features SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'pair, timeframe', timescaledb.orderby = 'open_time DESC, set_id DESC');
CALL add_columnstore_policy('helios.engineered_features', after => INTERVAL '30 days');

ALTER TABLE helios.ml_predictions SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'pair, timeframe, model_id', timescaledb.orderby = 'ts DESC, horizon DESC');
CALL add_columnstore_policy('helios.ml_predictions', after => INTERVAL '60 days');

ALTER TABLE helios.system_events SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'component', timescaledb.orderby = 'ts DESC, id DESC');
CALL add_columnstore_policy('helios.system_events', after => INTERVAL '60 days');
