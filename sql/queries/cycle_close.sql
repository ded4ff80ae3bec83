UPDATE rebalancing_events SET outcome = %(outcome)s WHERE decision_id = %(decision_id)s
