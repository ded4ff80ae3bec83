SELECT client_order_id FROM orders ORDER BY created_at DESC, id DESC LIMIT %(limit)s
