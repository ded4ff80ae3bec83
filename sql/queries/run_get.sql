SELECT run_id, notebook, parameters, parameters_hash, commit, dirty, feature_set, data_as_of,
       environment_hash, seed, flow_run_id, state, started_at, ended_at, outcome, result,
       notebook_path, notebook_sha256, owner
FROM runs WHERE run_id = %(run_id)s
