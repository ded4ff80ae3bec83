-- only the kernel that the run was started with knows the nonce
UPDATE runs
SET state = 'completed', ended_at = now(), outcome = %(outcome)s, result = %(result)s,
    data_as_of = coalesce(%(data_as_of)s, data_as_of),
    feature_set = coalesce(%(feature_set)s, feature_set)
WHERE run_id = %(run_id)s AND state = 'running' AND nonce_sha256 = %(nonce_sha256)s
