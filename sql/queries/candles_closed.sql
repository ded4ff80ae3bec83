-- candles_closed: last `bars` candles closed at `as_of`, oldest first
SELECT * FROM (SELECT pair, timeframe, open_time, open, high, low, close, volume FROM market_ohlc
               WHERE pair = %(pair)s AND timeframe = %(timeframe)s
                 AND open_time <= %(as_of)s - %(duration)s
               ORDER BY open_time DESC LIMIT %(bars)s) AS newest
ORDER BY open_time;
