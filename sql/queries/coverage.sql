-- coverage: what candles are stored, and the bars that the gap ledger misses between them
SELECT c.pair, c.timeframe, c.source, c.first, c.last, c.rows,
       count(g.gap_start) AS gaps, coalesce(sum(g.missing), 0)::bigint AS missing
FROM (SELECT pair, timeframe, string_agg(DISTINCT source, ', ') AS source,
             min(open_time) AS first, max(open_time) AS last, count(*) AS rows
      FROM market_ohlc GROUP BY pair, timeframe) AS c
LEFT JOIN gap_ledger g ON g.pair = c.pair AND g.timeframe = c.timeframe
GROUP BY c.pair, c.timeframe, c.source, c.first, c.last, c.rows
ORDER BY c.pair, min(array_position(ARRAY['1m', '5m', '15m', '1h', '1d'], c.timeframe));
