SELECT o.client_order_id, o.created_at, o.mode, o.book, o.pair, o.side, o.quantity, o.filled,
       f.average_price, coalesce(f.fee, 0) AS fee, o.state, o.decision_id, o.run_id
FROM orders o
LEFT JOIN LATERAL (
    SELECT sum(t.price * t.quantity) / sum(t.quantity) AS average_price, sum(t.fee) AS fee
    FROM trade_executions t WHERE t.client_order_id = o.client_order_id
) f ON true
ORDER BY o.created_at DESC, o.id DESC LIMIT %(limit)s
