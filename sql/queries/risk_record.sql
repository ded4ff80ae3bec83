INSERT INTO aether_risk_decisions (decision_id, pair, ts, sigma, kelly_raw, kelly_shrunk, leverage,
                                   binding, size, vetoed, record, run_id)
VALUES (%(decision_id)s, %(pair)s, %(ts)s, %(sigma)s, %(kelly_raw)s, %(kelly_shrunk)s, %(leverage)s,
        %(binding)s, %(size)s, %(vetoed)s, %(record)s, %(run_id)s)
