-- pairs_known: the names of all pairs
SELECT pair FROM pair_rules ORDER BY pair;
