-- columns_of: names and types of the columns of a table or view, in order
SELECT attribute.attname, format_type(attribute.atttypid, NULL)
FROM pg_attribute attribute
JOIN pg_class class ON class.oid = attribute.attrelid
JOIN pg_namespace space ON space.oid = class.relnamespace
WHERE space.nspname = 'helios' AND class.relname = %(table)s
  AND attribute.attnum > 0 AND NOT attribute.attisdropped
ORDER BY attribute.attnum;
