-- what the newest completed run of a notebook emitted
SELECT result FROM runs WHERE notebook = %(notebook)s AND state = 'completed'
ORDER BY started_at DESC, run_id DESC LIMIT 1
