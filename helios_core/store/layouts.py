"""The layouts of market data files: which column of a file is what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from helios_core.errors import DataError

Edge = Literal["open", "close"]  # which end of a bar a time names

# Names are compared in lower case, with spaces and dashes as underscores; the first that is there.
OPEN_TIMES = ("open_time", "opentime", "start_time", "starttime", "bucket_start")
PLAIN_TIMES = (
    "timestamp", "ts", "unix", "unix_timestamp", "time", "datetime", "date_time", "date",
    "utc_time",
)  # fmt: skip
CLOSE_TIMES = ("close_time", "closetime", "close_datetime", "close_date", "end_time", "endtime")
SYMBOLS = ("symbol", "pair", "market", "instrument", "currency_pair", "currencypairsymbol")
CANDLES = {
    "open": ("open", "o", "open_price"),
    "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"),
    "close": ("close", "c", "close_price"),
    "volume": ("volume", "vol", "v", "base_volume", "basevolume"),
}
TRADE_TIMES = (*PLAIN_TIMES, "traded_at", "tradedat", "trade_time", "transact_time")
TRADES = {
    "trade_id": ("id", "trade_id", "tradeid", "agg_trade_id", "sequence_id", "sequenceid"),
    "price": ("price", "p"),
    "quantity": ("amount", "quantity", "qty", "size", "q"),
    "side": ("side", "taker_side", "takerside", "is_buyer_maker", "isbuyermaker"),
}

# What Binance's public files without a header hold.
KLINE = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_asset_volume",
    "number_of_trades", "taker_buy_base", "taker_buy_quote", "ignore",
)  # fmt: skip
BINANCE_TRADES = (
    "id", "price", "qty", "quote_qty", "time", "is_buyer_maker", "is_best_match",
)  # fmt: skip
HEADERLESS = {len(KLINE): KLINE, len(BINANCE_TRADES): BINANCE_TRADES}

FREQTRADE_CANDLES = {"date", "open", "high", "low", "close", "volume"}
FREQTRADE_TRADES = {"timestamp", "id", "type", "side", "price", "amount", "cost"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a file keeps what is needed of it.

    Attributes
    ----------
    columns : mapping of str to str
        Our name (``time``, ``open``, ..., or ``trade_id``, ``price``, ...) to the file's.
    edge : {"open", "close"}, optional
        Which end of a bar the time column names, where its name says so.
    symbol : str, optional
        The file's column with the pair.
    """

    name: str
    kind: Literal["candles", "trades"]
    columns: Mapping[str, str]
    edge: Edge | None = None
    symbol: str | None = None


def recognise(names: Sequence[str], wanted: Edge | None = None) -> Layout:
    """Return the layout of a file with these columns.

    Parameters
    ----------
    wanted : {"open", "close"}, optional
        Which time of a bar to take where a file has both; default: the open time.

    Raises
    ------
    DataError
        If no layout fits; it tells which columns were found and which were expected.
    """
    plain = {_plain(name): name for name in reversed(names)}
    symbol = _first(plain, SYMBOLS)
    prices = {ours: _first(plain, theirs) for ours, theirs in CANDLES.items()}
    trades = {ours: _first(plain, theirs) for ours, theirs in TRADES.items()}
    if trades["price"] is not None and prices["open"] is None:
        found = {"time": _first(plain, TRADE_TIMES), **trades}
        title = "freqtrade trades" if plain.keys() >= FREQTRADE_TRADES else "trades"
        if set(BINANCE_TRADES) <= plain.keys():
            title = "Binance trades"
        return Layout(title, "trades", _complete(names, found), symbol=symbol)
    time, edge = _bar_time(plain, wanted)
    columns = _complete(names, {"time": time, **prices})
    return Layout(_candle_title(plain.keys()), "candles", columns, edge, symbol)


def _bar_time(plain: Mapping[str, str], wanted: Edge | None) -> tuple[str | None, Edge | None]:
    """Return the column with the time of a bar, and which end of it the name of the column says."""
    closes = _first(plain, CLOSE_TIMES)
    if wanted == "close" and closes is not None:
        return closes, "close"
    opens = _first(plain, OPEN_TIMES)
    if opens is not None:
        return opens, "open"
    times = _first(plain, PLAIN_TIMES)
    if times is not None:
        # beside a close time, the other time is that of the open
        return times, None if closes is None else "open"
    return closes, "close"


def _candle_title(names: Iterable[str]) -> str:
    found = set(names)
    if {"open_time", "close_time"} <= found and len(found) == len(KLINE):
        return "Binance kline"
    return "freqtrade candles" if found == FREQTRADE_CANDLES else "OHLCV"


def _complete(names: Sequence[str], found: Mapping[str, str | None]) -> dict[str, str]:
    columns = {ours: theirs for ours, theirs in found.items() if theirs is not None}
    missing = [ours for ours in found if ours not in columns]
    if missing:
        raise DataError(
            f"found the columns {', '.join(names) or 'none'}; missing {', '.join(missing)}. "
            f"Expected candles with a time (for example open_time, date, timestamp or close_time), "
            f"open, high, low, close, volume; or trades with a time, id, price, amount, side"
        )
    return columns


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _first(plain: Mapping[str, str], wanted: Iterable[str]) -> str | None:
    return next((plain[name] for name in wanted if name in plain), None)
