-- the rows of a hypertable are in its chunks, compressed or not
SELECT c.relname::text AS name,
       CASE WHEN h.hypertable_name IS NULL THEN pg_total_relation_size(c.oid)
            ELSE hypertable_size(c.oid::regclass) END::bigint AS bytes,
       CASE WHEN h.hypertable_name IS NULL THEN greatest(c.reltuples, 0)::bigint
            ELSE approximate_row_count(c.oid::regclass) END::bigint AS estimate
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN timescaledb_information.hypertables h
    ON h.hypertable_schema = n.nspname AND h.hypertable_name = c.relname
WHERE n.nspname = 'helios' AND c.relkind IN ('r', 'p') ORDER BY c.relname
