-- a cycle is closed by its outcome; a decision without one was cut off
WITH decided AS (
    SELECT decision_id, outcome FROM rebalancing_events
    WHERE mode = %(mode)s AND book = %(book)s AND ts >= %(start)s AND ts < %(end)s
)
SELECT (SELECT count(*) FROM decided WHERE outcome IS NOT NULL) AS cycles,
       (SELECT count(*) FROM decided) AS decisions,
       (SELECT count(*) FROM orders JOIN decided USING (decision_id)) AS orders,
       (SELECT count(*) FROM trade_executions t JOIN orders o USING (client_order_id)
        JOIN decided d ON d.decision_id = o.decision_id) AS fills,
       (SELECT count(*) FROM runs
        WHERE state = 'failed' AND started_at >= %(start)s AND started_at < %(end)s) AS failed_runs
