SELECT run_id, notebook, parameters, parameters_hash, commit, dirty, feature_set, data_as_of,
       environment_hash, seed, flow_run_id, state, started_at, ended_at, outcome, result,
       notebook_path, notebook_sha256, owner
FROM runs WHERE flow_run_id = ANY(%(flow_run_ids)s) ORDER BY started_at, run_id
