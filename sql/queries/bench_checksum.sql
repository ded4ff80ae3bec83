-- Equal for two tables that hold the same rows, in any order: text of a float8 is exact.
SELECT count(*), coalesce(sum(hashtextextended(bars::text, 0)::numeric), 0)::text
FROM helios_bench.bars;
