SELECT quote, peak_equity FROM portfolio_state WHERE mode = %(mode)s AND book = %(book)s
