TRUNCATE helios_bench.bars;
