INSERT INTO positions (mode, book, pair, quantity, average_price, opened_at)
VALUES (%(mode)s, %(book)s, %(pair)s, %(quantity)s, %(average_price)s, %(opened_at)s)
ON CONFLICT (mode, book, pair) WHERE closed_at IS NULL
DO UPDATE SET quantity = excluded.quantity, average_price = excluded.average_price
