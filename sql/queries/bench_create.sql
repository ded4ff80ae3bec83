-- The scratch schema of `helios bench store`; what a killed bench left behind goes first.
DROP SCHEMA IF EXISTS helios_bench CASCADE;
CREATE SCHEMA helios_bench;
CREATE TABLE helios_bench.bars (
    ts     timestamptz NOT NULL,
    pair   int4 NOT NULL,
    open   float8 NOT NULL,
    high   float8 NOT NULL,
    low    float8 NOT NULL,
    close  float8 NOT NULL,
    volume float8 NOT NULL
);
CREATE TABLE helios_bench.stored (LIKE helios_bench.bars);
