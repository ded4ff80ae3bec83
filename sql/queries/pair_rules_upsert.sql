-- pair_rules_upsert: make a pair known, or replace its rules; equal rules are left alone
INSERT INTO pair_rules AS stored (pair, base, quote, tick_size, base_decimals, min_quantity,
                                  min_notional, tradable, simulated)
VALUES (%(pair)s, %(base)s, %(quote)s, %(tick_size)s, %(base_decimals)s, %(min_quantity)s,
        %(min_notional)s, %(tradable)s, %(simulated)s)
ON CONFLICT (pair) DO UPDATE
SET base = excluded.base, quote = excluded.quote, tick_size = excluded.tick_size,
    base_decimals = excluded.base_decimals, min_quantity = excluded.min_quantity,
    min_notional = excluded.min_notional, tradable = excluded.tradable,
    simulated = excluded.simulated
WHERE (stored.base, stored.quote, stored.tick_size, stored.base_decimals, stored.min_quantity,
       stored.min_notional, stored.tradable, stored.simulated)
    IS DISTINCT FROM (excluded.base, excluded.quote, excluded.tick_size, excluded.base_decimals,
                      excluded.min_quantity, excluded.min_notional, excluded.tradable,
                      excluded.simulated);
