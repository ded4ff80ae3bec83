INSERT INTO trade_executions (exchange, exec_id, client_order_id, pair, side, ts, price, quantity,
                              fee, fee_asset, liquidity, run_id)
VALUES (%(exchange)s, %(exec_id)s, %(client_order_id)s, %(pair)s, %(side)s, %(ts)s, %(price)s,
        %(quantity)s, %(fee)s, %(fee_asset)s, %(liquidity)s, %(run_id)s)
ON CONFLICT (exchange, exec_id) DO NOTHING
