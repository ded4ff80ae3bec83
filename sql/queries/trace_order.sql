-- everything behind one order, in one row; the verdict is the newest that the decision could know
SELECT o.client_order_id, o.created_at, o.mode, o.book, o.exchange, o.pair, o.side, o.kind,
       o.quantity, o.reference_price, o.filled, o.state,
       f.fills, f.exec_ids, f.average_price, f.fee, f.fee_asset,
       e.decision_id, e.ts, e.method, e.status, e.verdict, e.forced, e.feature_set, e.data_as_of,
       e.policy_hash, e.record, e.model_id,
       a.id AS risk_id, a.sigma, a.kelly_raw, a.size, a.binding, a.vetoed,
       v.id AS view_id, v.provider, v.regime, v.risk_multiplier, v.abstained,
       v.reason AS view_reason, v.context_sha256,
       m.version, m.trained_at, m.data_from, m.data_to, m.weights_sha256, m.run_id AS model_run_id,
       g.passed, g.reason AS gate_reason,
       s.set_id, cardinality(s.names) AS set_size,
       c.source, c.close,
       r.run_id, r.notebook, r.parameters, r.flow_run_id, r.state AS run_state, r.started_at,
       r.outcome, r.notebook_path, r.notebook_sha256, r.commit, r.dirty
FROM orders o
JOIN rebalancing_events e ON e.decision_id = o.decision_id
JOIN runs r ON r.run_id = o.run_id
LEFT JOIN LATERAL (
    SELECT count(*) AS fills, array_agg(t.exec_id ORDER BY t.id) AS exec_ids,
           sum(t.price * t.quantity) / sum(t.quantity) AS average_price, sum(t.fee) AS fee,
           min(t.fee_asset) AS fee_asset
    FROM trade_executions t WHERE t.client_order_id = o.client_order_id
) f ON true
LEFT JOIN aether_risk_decisions a ON a.decision_id = o.decision_id AND a.pair = o.pair
LEFT JOIN llm_strategic_decisions v ON v.decision_id = o.decision_id
LEFT JOIN ml_models m ON m.model_id = e.model_id
LEFT JOIN LATERAL (
    SELECT w.passed, w.reason FROM gate_verdicts w
    WHERE w.model_id = e.model_id AND w.recorded_at <= e.recorded_at
    ORDER BY w.recorded_at DESC LIMIT 1
) g ON true
LEFT JOIN feature_sets s ON s.sha256 = e.feature_set
LEFT JOIN LATERAL (
    SELECT k.source, k.close FROM market_ohlc k
    WHERE k.pair = o.pair AND k.open_time = e.data_as_of ORDER BY k.timeframe LIMIT 1
) c ON true
WHERE o.client_order_id = %(client_order_id)s
