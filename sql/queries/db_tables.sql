SELECT c.relname::text AS name, pg_total_relation_size(c.oid)::bigint AS bytes,
       greatest(c.reltuples, 0)::bigint AS estimate
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'helios' AND c.relkind IN ('r', 'p') ORDER BY c.relname
