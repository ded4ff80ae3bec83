"""VALR's public market data over REST: pair rules, closed candles, time of the exchange.

Only GET, no key. A request is repeated a few times when the network or the exchange fails, because
reading twice does no harm; orders have no place in this module.
"""

import math
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

import httpx

from helios_core.domain.market import CandleFrame, PairRules, Timeframe
from helios_core.errors import DataError, DependencyError, NotFoundError, UsageError
from helios_core.logs import logger
from helios_core.ports import Clock
from helios_core.valr import messages

PUBLIC_URL = "https://api.valr.com"
BARS_PER_CALL = 300
ATTEMPTS = 4
PAUSE = 0.5  # seconds before the first repetition, doubled each time
LONGEST_PAUSE = 30.0
UNKNOWN_PAIR = frozenset({-21, -111})
# least seconds between two calls of a kind; the exchange allows 20 a second and 30 a minute
SPACING = {"candles": 0.1, "time": 0.1, "pairs": 2.4}

log = logger("tier1_data")


class PublicMarketData:
    """A connection to the public routes.

    Parameters
    ----------
    clock : Clock
        Measures pauses; the time of bars is that of the exchange.
    base_url : str
        Address of the exchange or of a local stand-in.
    timeout : float
        Limit of one request, seconds.
    """

    def __init__(self, clock: Clock, base_url: str = PUBLIC_URL, timeout: float = 10.0) -> None:
        self._clock = clock
        self._base_url = base_url.rstrip("/")
        self._free_at: dict[str, float] = {}
        self._client = httpx.Client(
            timeout=timeout,
            headers={"Content-Type": "application/json", "User-Agent": "helios-desk"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def server_time(self) -> datetime:
        """Return the time of the exchange, UTC, to the microsecond.

        Raises
        ------
        DependencyError
            If the exchange cannot be reached.
        """
        return messages.parse(messages.TIME, self._get("time", "/v1/public/time", {}), "time").time

    def pairs(self) -> list[PairRules]:
        """Return the rules of every spot pair, inactive ones with ``tradable=False``.

        Raises
        ------
        DependencyError
            If the exchange cannot be reached.
        DataError
            If its answer has an unknown format.
        """
        payload = self._get("pairs", "/v1/public/pairs", {})
        found = messages.parse(messages.PAIRS, payload, "list of pairs")
        return [pair.rules() for pair in found if pair.kind == "SPOT"]

    def candles(
        self, pair: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> CandleFrame:
        """Return the bars that open in ``[start, end)`` and have closed, oldest first.

        Parameters
        ----------
        start, end : datetime
            Aware; moved outward to whole bars. 300 bars are asked for in one call.

        Raises
        ------
        NotFoundError
            If the exchange does not know the pair.
        DependencyError
            If it cannot be reached.
        DataError
            If a bar is impossible or of an unknown format.
        """
        if start.utcoffset() is None or end.utcoffset() is None or start >= end:
            raise UsageError(f"candles need two aware times in order, found {start} and {end}")
        now = self.server_time()
        seconds = timeframe.minutes * 60
        first = math.floor(start.timestamp() / seconds) * seconds
        last = math.ceil(min(end, now).timestamp() / seconds) * seconds
        found: list[messages.BucketMessage] = []
        for since in range(first, last, seconds * BARS_PER_CALL):
            until = min(since + seconds * BARS_PER_CALL, last)
            page = self._page(pair, seconds, since, until)
            found += [b for b in page if since <= b.start.timestamp() < until]
            log.debug("candles read", pair=pair, timeframe=timeframe.value, bars=len(page))
        return messages.candles(found, pair, timeframe, now)

    def _page(
        self, pair: str, seconds: int, since: int, until: int
    ) -> list[messages.BucketMessage]:
        query = {
            "periodSeconds": str(seconds),
            "startTime": str(since),
            "endTime": str(until - 1),  # a range of more than 300 bars is refused, ends included
            "limit": str(BARS_PER_CALL),
        }
        payload = self._get("candles", f"/v1/public/{pair}/buckets", query)
        return messages.parse(messages.BUCKETS, payload, f"candles of {pair}")

    def _get(self, kind: str, path: str, query: dict[str, str]) -> bytes:
        """Return the body of a successful answer, repeating what may pass by itself."""
        for attempt in range(1, ATTEMPTS + 1):
            self._keep_pace(kind)
            try:
                response = self._client.get(self._base_url + path, params=query)
            except httpx.TransportError as error:
                failure, pause = f"{type(error).__name__}: {error}", PAUSE * 2 ** (attempt - 1)
            else:
                if response.is_success:
                    return response.content
                _raise_if_final(response, path)
                failure = f"HTTP {response.status_code}"
                pause = _asked_pause(response, PAUSE * 2 ** (attempt - 1))
            log.warning("request failed", path=path, attempt=attempt, failure=failure)
            if attempt < ATTEMPTS:
                self._clock.sleep(pause)
        raise DependencyError(
            f"{self._base_url}{path} gave no usable answer in {ATTEMPTS} attempts, the last one: "
            f"{failure}. Check the network, or import a file with `helios data import`."
        )

    def _keep_pace(self, kind: str) -> None:
        now = self._clock.monotonic()
        wait = self._free_at.get(kind, now) - now
        if wait > 0:
            self._clock.sleep(wait)
        self._free_at[kind] = max(now, self._free_at.get(kind, now)) + SPACING[kind]


def _raise_if_final(response: httpx.Response, path: str) -> None:
    """Raise for answers that a repetition cannot change; 429 and 5xx pass."""
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        return
    if not response.headers.get("content-type", "").startswith("application/json"):
        return  # under load the exchange answers 400 with a page of HTML
    body = messages.parse(messages.ERROR, response.content, "error message")
    if body.code in UNKNOWN_PAIR:
        raise NotFoundError(
            f"VALR does not know the pair of {path}: {body.message}. "
            f"`helios data pairs` lists those it trades."
        )
    raise DataError(f"VALR refused {path} with HTTP {status}, code {body.code}: {body.message}")


def _asked_pause(response: httpx.Response, otherwise: float) -> float:
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_PAUSE) if asked.isdigit() else otherwise


def history(
    source: PublicMarketData, pair: str, timeframe: Timeframe, length: timedelta
) -> CandleFrame:
    """Return the closed bars of the last `length`, by the exchange's own clock."""
    now = source.server_time()
    return source.candles(pair, timeframe, now - length, now)
