INSERT INTO rebalancing_events (decision_id, mode, book, ts, verdict, method, status, model_id,
                                forced, feature_set, data_as_of, policy_hash, record, run_id)
VALUES (%(decision_id)s, %(mode)s, %(book)s, %(ts)s, %(verdict)s, %(method)s, %(status)s,
        %(model_id)s, %(forced)s, %(feature_set)s, %(data_as_of)s, %(policy_hash)s, %(record)s,
        %(run_id)s)
ON CONFLICT (decision_id) DO NOTHING
