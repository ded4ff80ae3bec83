INSERT INTO ml_models (model_id, name, version, weights_sha256, feature_set, label_schema, config,
                       metrics, data_from, data_to, seed, commit, parameters, trained_at, run_id)
VALUES (%(model_id)s, %(name)s, %(version)s, %(weights_sha256)s, %(feature_set)s, %(label_schema)s,
        %(config)s, %(metrics)s, %(data_from)s, %(data_to)s, %(seed)s, %(commit)s, %(parameters)s,
        %(trained_at)s, %(run_id)s)
ON CONFLICT (model_id) DO NOTHING
