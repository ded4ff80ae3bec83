SELECT 1 FROM rebalancing_events WHERE decision_id = %(decision_id)s
