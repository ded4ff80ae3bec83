SELECT record, outcome, run_id FROM rebalancing_events WHERE decision_id = %(decision_id)s
