SELECT ts, decision_id, equity::float8 AS equity, cash::float8 AS cash, exposure::float8 AS exposure
FROM portfolio_snapshots
WHERE mode = %(mode)s AND book = %(book)s
  AND ts >= coalesce(%(start)s, '-infinity'::timestamptz)
  AND ts < coalesce(%(end)s, 'infinity'::timestamptz)
ORDER BY ts, recorded_at
