-- candles_forget: remove the candles of a pair that come from elsewhere
DELETE FROM market_ohlc WHERE pair = %(pair)s AND source <> %(source)s;
