-- clock_timestamp: two verdicts of one transaction keep their order
INSERT INTO gate_verdicts (verdict_id, model_id, passed, reason, checks, evidence, run_id,
                           recorded_at)
VALUES (%(verdict_id)s, %(model_id)s, %(passed)s, %(reason)s, %(checks)s, %(evidence)s, %(run_id)s,
        clock_timestamp())
ON CONFLICT (verdict_id) DO NOTHING
