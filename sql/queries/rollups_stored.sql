-- rollups_stored: the continuous aggregates that this role may refresh
SELECT view_name FROM timescaledb_information.continuous_aggregates
WHERE view_schema = 'helios' AND pg_has_role(view_owner, 'USAGE');
