SELECT t.exec_id, t.client_order_id, t.pair, t.side, t.ts, t.price, t.quantity, t.fee, t.fee_asset,
       t.liquidity
FROM trade_executions t JOIN orders o USING (client_order_id)
WHERE o.decision_id = %(decision_id)s ORDER BY t.id
