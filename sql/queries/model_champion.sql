SELECT model_id, name, version, weights_sha256, feature_set, label_schema, config, metrics,
       data_from, data_to, seed, commit, parameters, trained_at, run_id
FROM ml_models WHERE name = %(name)s AND state = 'champion'
