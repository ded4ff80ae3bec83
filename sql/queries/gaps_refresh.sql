-- gaps_refresh: make the gap ledger equal to the holes between the stored candles around [start, end)
-- A hole keeps the cause that the ledger has for it, unless `cause` says more than 'missing'.
WITH span AS (
    SELECT coalesce((SELECT max(open_time) FROM market_ohlc
                     WHERE pair = %(pair)s AND timeframe = %(timeframe)s
                       AND open_time < %(start)s), %(start)s) AS lower,
           coalesce((SELECT min(open_time) FROM market_ohlc
                     WHERE pair = %(pair)s AND timeframe = %(timeframe)s
                       AND open_time >= %(end)s), %(end)s) AS upper
), bars AS (
    SELECT open_time, lag(open_time) OVER (ORDER BY open_time) AS before
    FROM market_ohlc, span
    WHERE pair = %(pair)s AND timeframe = %(timeframe)s
      AND open_time BETWEEN span.lower AND span.upper
), holes AS (
    SELECT tstzrange(before + %(duration)s, open_time) AS hole FROM bars
    WHERE open_time > before + %(duration)s
), old AS (
    SELECT tstzrange(gap_start, gap_end) AS claimed, cause FROM gap_ledger, span
    WHERE pair = %(pair)s AND timeframe = %(timeframe)s
      AND gap_start < span.upper AND gap_end > span.lower
), claims AS (
    SELECT claimed, cause FROM old WHERE %(cause)s = 'missing'
    UNION ALL
    SELECT unnest(tstzmultirange(claimed) - tstzmultirange(tstzrange(%(start)s, %(end)s))), cause
    FROM old WHERE %(cause)s <> 'missing'
    UNION ALL
    SELECT tstzrange(%(start)s, %(end)s), %(cause)s WHERE %(cause)s <> 'missing'
), pieces AS (
    SELECT hole * claimed AS piece, cause FROM holes JOIN claims ON hole && claimed
    UNION ALL
    SELECT unnest(tstzmultirange(hole) - coalesce(
               (SELECT range_agg(claimed) FROM claims WHERE claimed && hole), '{}')), 'missing'
    FROM holes
), found AS (
    SELECT unnest(range_agg(piece)) AS gap, cause FROM pieces GROUP BY cause
), closed AS (
    DELETE FROM gap_ledger USING span
    WHERE pair = %(pair)s AND timeframe = %(timeframe)s
      AND gap_start < span.upper AND gap_end > span.lower
      AND gap_start NOT IN (SELECT lower(gap) FROM found)
)
INSERT INTO gap_ledger AS stored (pair, timeframe, gap_start, gap_end, missing, cause, run_id)
SELECT %(pair)s, %(timeframe)s, lower(gap), upper(gap),
       round(extract(epoch FROM upper(gap) - lower(gap)) / extract(epoch FROM %(duration)s)),
       cause, %(run_id)s
FROM found
ON CONFLICT (pair, timeframe, gap_start) DO UPDATE
SET gap_end = excluded.gap_end, missing = excluded.missing, cause = excluded.cause,
    run_id = excluded.run_id, recorded_at = now()
WHERE (stored.gap_end, stored.missing, stored.cause)
    IS DISTINCT FROM (excluded.gap_end, excluded.missing, excluded.cause);
