-- trades_between: trades in [start, end), oldest first
SELECT pair, ts, trade_id, price, quantity, side FROM market_trades
WHERE pair = %(pair)s AND ts >= %(start)s AND ts < %(end)s
ORDER BY ts, trade_id;
