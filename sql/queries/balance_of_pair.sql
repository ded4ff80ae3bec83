-- the base currency of a pair; a book has one quote, so it holds a base through one pair alone
INSERT INTO balances (mode, book, exchange, asset, amount)
SELECT %(mode)s, %(book)s, %(exchange)s, r.base, %(amount)s
FROM pair_rules r WHERE r.pair = %(pair)s
ON CONFLICT (mode, book, exchange, asset) DO UPDATE SET amount = excluded.amount
WHERE balances.amount <> excluded.amount
