-- rollups_server: whether there are continuous aggregates at all, the server's time; no time limit
SELECT to_regclass('timescaledb_information.continuous_aggregates') IS NOT NULL, now(),
       set_config('statement_timeout', '0', false);
