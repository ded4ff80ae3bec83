SELECT pair, quantity, average_price, opened_at FROM positions
WHERE mode = %(mode)s AND book = %(book)s AND closed_at IS NULL
ORDER BY pair
