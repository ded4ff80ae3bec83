"""PostgreSQL and TimescaleDB through psycopg: schema, market data, ledgers, registry."""
