-- helios: requires timescaledb
-- migrate_data converts tables that already hold rows: a desk may gain TimescaleDB later.

SELECT create_hypertable('helios.market_ohlc', by_range('open_time', INTERVAL '30 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.market_trades', by_range('ts', INTERVAL '1 day'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.orderbook_snapshots', by_range('ts', INTERVAL '1 day'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.engineered_features', by_range('open_time', INTERVAL '30 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.ml_predictions', by_range('ts', INTERVAL '30 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.volatility_forecasts', by_range('ts', INTERVAL '90 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.portfolio_snapshots', by_range('ts', INTERVAL '90 days'),
                         create_default_indexes => false, migrate_data => true);
SELECT create_hypertable('helios.system_events', by_range('ts', INTERVAL '30 days'),
                         create_default_indexes => false, migrate_data => true);
