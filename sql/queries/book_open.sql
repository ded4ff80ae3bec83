INSERT INTO portfolio_state (mode, book, quote, opening_cash, peak_equity)
VALUES (%(mode)s, %(book)s, %(quote)s, %(cash)s, %(cash)s)
ON CONFLICT (mode, book, quote) DO NOTHING
