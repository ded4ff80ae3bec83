-- helios: requires any

CREATE VIEW v_active_positions AS
SELECT p.mode, p.book, p.pair, p.quantity, p.average_price, p.opened_at,
       last.open_time AS marked_at, last.close::numeric AS mark,
       p.quantity * last.close::numeric AS value,
       p.quantity * (last.close::numeric - p.average_price) AS unrealised
FROM positions p
LEFT JOIN LATERAL (
    SELECT c.open_time, c.close FROM market_ohlc c
    WHERE c.pair = p.pair AND c.timeframe = '1m'
    ORDER BY c.open_time DESC LIMIT 1
) last ON true
WHERE p.closed_at IS NULL;

CREATE VIEW v_portfolio_performance AS
WITH daily AS (
    SELECT DISTINCT ON (mode, book, quote, date_trunc('day', ts, 'UTC'))
           mode, book, quote, date_trunc('day', ts, 'UTC') AS day, equity
    FROM portfolio_snapshots
    ORDER BY mode, book, quote, date_trunc('day', ts, 'UTC'), ts DESC, recorded_at DESC
)
SELECT mode, book, quote, day, equity,
       equity / nullif(lag(equity) OVER series, 0) - 1 AS daily_return,
       equity / nullif(max(equity) OVER (series ROWS UNBOUNDED PRECEDING), 0) - 1 AS drawdown
FROM daily
WINDOW series AS (PARTITION BY mode, book, quote ORDER BY day);

CREATE VIEW v_ml_accuracy AS
SELECT model_id, pair, timeframe, horizon, count(*) AS scored,
       avg((sign(p_buy - p_sell) = y_true)::int) FILTER (WHERE y_true <> 0) AS direction_hit_rate,
       avg(abs(p_hit - abs(y_true))) AS hit_mean_absolute_error,
       avg((p_sell - (y_true = -1)::int) ^ 2 + (p_hold - (y_true = 0)::int) ^ 2
           + (p_buy - (y_true = 1)::int) ^ 2) AS brier
FROM ml_predictions
WHERE y_true IS NOT NULL
GROUP BY model_id, pair, timeframe, horizon;
