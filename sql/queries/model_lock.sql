-- all versions of the model, so that two promotions at once follow each other
SELECT model_id, state FROM ml_models
WHERE name = (SELECT name FROM ml_models WHERE model_id = %(model_id)s)
ORDER BY model_id FOR UPDATE
