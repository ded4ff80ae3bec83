SELECT model_id FROM ml_models ORDER BY trained_at DESC
