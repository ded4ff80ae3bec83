INSERT INTO runs (run_id, notebook, parameters, parameters_hash, commit, dirty, feature_set,
                  data_as_of, environment_hash, seed, flow_run_id, state, started_at, owner,
                  nonce_sha256)
VALUES (%(run_id)s, %(notebook)s, %(parameters)s, %(parameters_hash)s, %(commit)s, %(dirty)s,
        %(feature_set)s, %(data_as_of)s, %(environment_hash)s, %(seed)s, %(flow_run_id)s,
        'running', %(started_at)s, %(owner)s, %(nonce_sha256)s)
ON CONFLICT (run_id) DO NOTHING
