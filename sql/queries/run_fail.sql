UPDATE runs SET state = 'failed', ended_at = now(), outcome = %(reason)s
WHERE run_id = %(run_id)s AND state = 'running'
