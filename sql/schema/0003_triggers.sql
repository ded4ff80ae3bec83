-- helios: requires any
-- On a hypertable TG_TABLE_NAME is the chunk, so triggers are told the name of their table.

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_ARGV[0], TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('helios_' || TG_ARGV[0], to_jsonb(NEW) ->> TG_ARGV[1]);
    RETURN NULL;
END $$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['pair_rules', 'ml_models', 'portfolio_state', 'positions', 'orders',
                                'balances', 'feature_flags', 'circuit_breakers'] LOOP
        EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %I '
                       'FOR EACH ROW EXECUTE FUNCTION touch_updated_at()', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['system_events', 'trading_mode_history', 'feature_flag_history',
                                'circuit_breaker_events', 'gate_verdicts'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I '
                       'FOR EACH ROW EXECUTE FUNCTION refuse_change(%L)', name, name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I '
                       'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(%L)', name, name);
    END LOOP;
END $$;

CREATE TRIGGER notify AFTER INSERT OR UPDATE ON orders
    FOR EACH ROW EXECUTE FUNCTION notify_change('orders', 'client_order_id');
CREATE TRIGGER notify AFTER INSERT ON commands
    FOR EACH ROW EXECUTE FUNCTION notify_change('commands', 'id');
CREATE TRIGGER notify AFTER INSERT OR UPDATE ON feature_flags
    FOR EACH ROW EXECUTE FUNCTION notify_change('flags', 'flag');
CREATE TRIGGER notify AFTER INSERT OR UPDATE ON circuit_breakers
    FOR EACH ROW EXECUTE FUNCTION notify_change('breakers', 'breaker');

CREATE FUNCTION audit_mode_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO helios.system_events (level, component, event, fields)
    VALUES ('warning', 'trading', 'mode_changed', to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT ON trading_mode_history
    FOR EACH ROW EXECUTE FUNCTION audit_mode_change();
