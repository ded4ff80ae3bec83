SELECT e.decision_id, e.ts, e.mode, e.book, e.verdict, e.method, e.model_id, e.forced,
       (SELECT count(*) FROM orders o WHERE o.decision_id = e.decision_id) AS orders,
       (SELECT count(*) FROM trade_executions t JOIN orders o USING (client_order_id)
        WHERE o.decision_id = e.decision_id) AS fills,
       (e.outcome ->> 'equity_after')::float8 AS equity_after, e.run_id
FROM rebalancing_events e ORDER BY e.ts DESC, e.id DESC LIMIT %(limit)s
