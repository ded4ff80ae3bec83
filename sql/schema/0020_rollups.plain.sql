-- helios: requires not timescaledb-tsl
-- Rollups computed on read; names, columns and values equal those of the continuous aggregates.

CREATE VIEW trades_ohlc_1m AS
SELECT pair, date_bin(INTERVAL '1 minute', ts, TIMESTAMPTZ '2000-01-03 00:00:00+00') AS open_time,
       (array_agg(price ORDER BY trade_id))[1] AS open, max(price) AS high, min(price) AS low,
       (array_agg(price ORDER BY trade_id DESC))[1] AS close, sum(quantity) AS volume, count(*) AS trades,
       sum(quantity * side) AS signed_volume
FROM market_trades GROUP BY 1, 2;

CREATE VIEW trades_ohlc_5m AS
SELECT pair, date_bin(INTERVAL '5 minutes', open_time, TIMESTAMPTZ '2000-01-03 00:00:00+00') AS open_time,
       (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
       (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
       sum(trades) AS trades, sum(signed_volume) AS signed_volume
FROM trades_ohlc_1m GROUP BY 1, 2;

CREATE VIEW trades_ohlc_15m AS
SELECT pair, date_bin(INTERVAL '15 minutes', open_time, TIMESTAMPTZ '2000-01-03 00:00:00+00') AS open_time,
       (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
       (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
       sum(trades) AS trades, sum(signed_volume) AS signed_volume
FROM trades_ohlc_5m GROUP BY 1, 2;

CREATE VIEW ohlc_5m AS
SELECT pair, date_bin(INTERVAL '5 minutes', open_time, TIMESTAMPTZ '2000-01-03 00:00:00+00') AS open_time,
       (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
       (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume, count(*) AS bars
FROM market_ohlc WHERE timeframe = '1m' GROUP BY 1, 2;

CREATE VIEW ohlc_15m AS
SELECT pair, date_bin(INTERVAL '15 minutes', open_time, TIMESTAMPTZ '2000-01-03 00:00:00+00') AS open_time,
       (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
       (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
       sum(bars) AS bars
FROM ohlc_5m GROUP BY 1, 2;
