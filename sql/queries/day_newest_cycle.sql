SELECT decision_id, verdict, record -> 'decision' -> 'skips' AS skips FROM rebalancing_events
WHERE mode = %(mode)s AND book = %(book)s AND ts >= %(start)s AND ts < %(end)s
ORDER BY ts DESC, id DESC LIMIT 1
