-- rollup_refresh: compute the buckets of a continuous aggregate that lie in [start, end) again
CALL refresh_continuous_aggregate(%(view)s::regclass, %(start)s::timestamptz, %(end)s::timestamptz);
