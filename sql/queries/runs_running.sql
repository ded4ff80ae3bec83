SELECT run_id, owner FROM runs WHERE state = 'running' ORDER BY run_id
