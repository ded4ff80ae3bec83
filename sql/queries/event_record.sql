INSERT INTO system_events (level, component, event, fields, run_id)
VALUES (%(level)s, %(component)s, %(event)s, %(fields)s, %(run_id)s)
