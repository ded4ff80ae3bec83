UPDATE portfolio_state SET peak_equity = %(equity)s, version = version + 1
WHERE mode = %(mode)s AND book = %(book)s AND peak_equity < %(equity)s
