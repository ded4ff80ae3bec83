UPDATE orders SET state = %(state)s, filled = %(filled)s
WHERE client_order_id = %(client_order_id)s
  AND (state, filled) IS DISTINCT FROM (%(state)s, %(filled)s::numeric)
