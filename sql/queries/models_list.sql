SELECT m.model_id, m.name, m.version, m.state, m.parameters, m.trained_at, m.data_from, m.data_to,
       CASE WHEN g.passed THEN 'passed'
            WHEN NOT g.passed THEN 'refused: ' || regexp_replace(g.reason, '^refused by ', '')
       END AS gate,
       m.run_id, m.config, m.metrics
FROM ml_models m
LEFT JOIN LATERAL (
    SELECT v.passed, v.reason FROM gate_verdicts v
    WHERE v.model_id = m.model_id ORDER BY v.recorded_at DESC LIMIT 1
) g ON true
ORDER BY m.trained_at DESC, m.model_id DESC
