-- pair_rules: what the exchange accepts for one pair
SELECT pair, base, quote, tick_size, base_decimals, min_quantity, min_notional, tradable, simulated
FROM pair_rules WHERE pair = %(pair)s;
