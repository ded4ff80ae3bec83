-- helios: requires any
-- Roles exist on the embedded server; on an own server they are optional and the owner does it all.

DO $$
DECLARE
    name text;
BEGIN
    REVOKE ALL ON SCHEMA helios FROM PUBLIC;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'helios_app') THEN
        GRANT USAGE ON SCHEMA helios TO helios_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA helios TO helios_app;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA helios TO helios_app;
        FOREACH name IN ARRAY ARRAY['system_events', 'trading_mode_history',
                'feature_flag_history', 'circuit_breaker_events', 'gate_verdicts'] LOOP
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM helios_app', name);
        END LOOP;
        REVOKE ALL ON schema_migrations FROM helios_app;
        GRANT SELECT ON schema_migrations TO helios_app;
        ALTER DEFAULT PRIVILEGES IN SCHEMA helios
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO helios_app;
        ALTER DEFAULT PRIVILEGES IN SCHEMA helios GRANT USAGE ON SEQUENCES TO helios_app;
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO helios_app', current_database());
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'helios_ro') THEN
        GRANT USAGE ON SCHEMA helios TO helios_ro;
        GRANT SELECT ON ALL TABLES IN SCHEMA helios TO helios_ro;
        ALTER DEFAULT PRIVILEGES IN SCHEMA helios GRANT SELECT ON TABLES TO helios_ro;
    END IF;
END $$;
