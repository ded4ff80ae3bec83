-- candles_between: candles that open in [start, end), oldest first
SELECT pair, timeframe, open_time, open, high, low, close, volume FROM market_ohlc
WHERE pair = %(pair)s AND timeframe = %(timeframe)s
  AND open_time >= %(start)s AND open_time < %(end)s
ORDER BY open_time;
