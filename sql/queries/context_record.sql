INSERT INTO market_context_snapshots (sha256, ts, brief, run_id)
VALUES (%(sha256)s, %(ts)s, %(brief)s, %(run_id)s)
ON CONFLICT (sha256) DO NOTHING
