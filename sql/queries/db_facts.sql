SELECT current_setting('server_version') AS version, clock_timestamp() AS now,
       pg_database_size(current_database())::bigint AS size_bytes
