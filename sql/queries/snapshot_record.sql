-- a cycle that is closed again, after a crash, was marked anew: the last marks count
INSERT INTO portfolio_snapshots (mode, book, ts, decision_id, quote, equity, cash, exposure, marks,
                                 run_id)
VALUES (%(mode)s, %(book)s, %(ts)s, %(decision_id)s, %(quote)s, %(equity)s, %(cash)s, %(exposure)s,
        %(marks)s, %(run_id)s)
ON CONFLICT (mode, book, ts, decision_id) DO UPDATE
SET equity = excluded.equity, cash = excluded.cash, exposure = excluded.exposure,
    marks = excluded.marks, run_id = excluded.run_id
