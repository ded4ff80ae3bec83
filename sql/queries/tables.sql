-- tables: the names of all tables and views of Helios
SELECT class.relname FROM pg_class class
JOIN pg_namespace space ON space.oid = class.relnamespace
WHERE space.nspname = 'helios' AND class.relkind IN ('r', 'p', 'v', 'm')
ORDER BY class.relname;
