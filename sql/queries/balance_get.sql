SELECT amount FROM balances
WHERE mode = %(mode)s AND book = %(book)s AND exchange = %(exchange)s AND asset = %(asset)s
