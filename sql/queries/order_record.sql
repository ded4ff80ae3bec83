INSERT INTO orders (client_order_id, decision_id, leg, mode, book, exchange, pair, side, kind,
                    quantity, price, reference_price, state, reason, run_id, created_at)
VALUES (%(client_order_id)s, %(decision_id)s, %(leg)s, %(mode)s, %(book)s, %(exchange)s, %(pair)s,
        %(side)s, %(kind)s, %(quantity)s, %(price)s, %(reference_price)s, %(state)s, %(reason)s,
        %(run_id)s, %(created_at)s)
