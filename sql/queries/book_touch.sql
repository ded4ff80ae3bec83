UPDATE portfolio_state SET version = version + 1
WHERE mode = %(mode)s AND book = %(book)s
