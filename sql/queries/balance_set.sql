INSERT INTO balances (mode, book, exchange, asset, amount)
VALUES (%(mode)s, %(book)s, %(exchange)s, %(asset)s, %(amount)s)
ON CONFLICT (mode, book, exchange, asset) DO UPDATE SET amount = excluded.amount
WHERE balances.amount <> excluded.amount
