SELECT verdict_id, checks, evidence FROM gate_verdicts
WHERE model_id = %(model_id)s ORDER BY recorded_at DESC LIMIT 1
