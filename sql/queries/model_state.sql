UPDATE ml_models SET state = %(state)s WHERE model_id = %(model_id)s
