INSERT INTO helios_bench.bars (ts, pair, open, high, low, close, volume)
VALUES (%s, %s, %s, %s, %s, %s, %s);
