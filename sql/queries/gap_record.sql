-- gap_record: one gap, or what is newly known of it
INSERT INTO gap_ledger AS stored (pair, timeframe, gap_start, gap_end, missing, cause, run_id)
VALUES (%(pair)s, %(timeframe)s, %(start)s, %(end)s, %(missing)s, %(cause)s, %(run_id)s)
ON CONFLICT (pair, timeframe, gap_start) DO UPDATE
SET gap_end = excluded.gap_end, missing = excluded.missing, cause = excluded.cause,
    run_id = excluded.run_id, recorded_at = now()
WHERE (stored.gap_end, stored.missing, stored.cause)
    IS DISTINCT FROM (excluded.gap_end, excluded.missing, excluded.cause);
