SELECT ts, pair, open, high, low, close, volume FROM helios_bench.stored
