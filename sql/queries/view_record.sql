INSERT INTO llm_strategic_decisions (decision_id, context_sha256, ts, provider, regime,
                                     risk_multiplier, abstained, reason, valid_until, record,
                                     run_id)
VALUES (%(decision_id)s,
        (SELECT c.sha256 FROM market_context_snapshots c WHERE c.sha256 = %(prompt_hash)s),
        %(ts)s, %(provider)s, %(regime)s, %(risk_multiplier)s, %(abstained)s, %(reason)s,
        %(valid_until)s, %(record)s, %(run_id)s)
