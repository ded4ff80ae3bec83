-- a champion stays one until a person retires it or another model takes its place
UPDATE ml_models SET state = CASE WHEN %(passed)s THEN 'candidate' ELSE 'rejected' END
WHERE model_id = %(model_id)s AND state IN ('candidate', 'rejected')
