UPDATE positions SET quantity = 0, closed_at = %(at)s
WHERE mode = %(mode)s AND book = %(book)s AND pair = %(pair)s AND closed_at IS NULL
