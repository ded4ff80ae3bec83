SELECT client_order_id, state FROM orders WHERE decision_id = %(decision_id)s
