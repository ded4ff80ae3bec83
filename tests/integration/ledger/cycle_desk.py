"""A whole cycle on a generated market and the database ledger.

As a script, ``cycle_desk.py DSN CALL``, its process kills itself at that call, as `kill -9` would.
"""

import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from helios_core.backtest.fills import PaperBroker, last_close
from helios_core.backtest.memory import FrameMarket
from helios_core.backtest.replay import ReplayClock, Silent
from helios_core.cycle import Desk, run_cycle
from helios_core.domain.decisions import SignalFrame
from helios_core.domain.market import Timeframe
from helios_core.domain.trading import Mode
from helios_core.forecast import Policy
from helios_core.simulator.generator import generate_market, simulated_rules
from helios_core.store.books import StoredLedger
from helios_core.store.database import Database

PRICES = {"SIMBTCZAR": 1_200_000.0, "SIMETHZAR": 40_000.0}
PAIRS = tuple(PRICES)
T0 = datetime(2025, 1, 1, tzinfo=UTC)
MINUTES = 3_000
END = T0 + timedelta(minutes=MINUTES)
POLICY = Policy(quote="ZAR", horizon=60, history=MINUTES, window=600)
RULES = {pair: simulated_rules(pair, "ZAR", price) for pair, price in PRICES.items()}
RUN, MODEL = "20250131T120000-aaaa0001", "keen-1"


def keen(features, candles):
    """A model that is sure of a rise in every pair, far above the costs."""
    n = len(features)
    return SignalFrame(
        pair=features.pair,
        as_of=features.open_time + np.timedelta64(1, "m"),
        p_sell=np.full(n, 0.09),
        p_hold=np.full(n, 0.10),
        p_buy=np.full(n, 0.81),
        p_hit=np.full(n, 0.90),
        p_up=np.full(n, 0.90),
        barrier_up=np.full(n, 0.05),
        barrier_down=np.full(n, 0.03),
        horizon=60,
        model_id=MODEL,
    )


def desk_on(ledger):
    """A desk that knows nothing but the market and `ledger`, as after a restart."""
    market = FrameMarket(generate_market(PRICES, T0, MINUTES, 11), RULES)
    prices = last_close(market, Timeframe.M1, POLICY.max_age)
    return Desk(
        clock=ReplayClock(END),
        market=market,
        ledger=ledger,
        broker=PaperBroker(prices, market.rules, POLICY.execution),
        strategist=Silent(),
        scorer=keen,
        policy=POLICY,
        mode=Mode.PAPER,
        book="main",
        run_id=RUN,
        model_id=MODEL,
    )


class Cut:
    """Calls `at` instead of, or after, one method of what it wraps."""

    def __init__(self, inner, name, at, *, after=False):
        self.inner, self.name, self.at, self.after = inner, name, at, after

    def __getattr__(self, name):
        method = getattr(self.inner, name)

        def call(*arguments):
            if name == self.name and not self.after:
                self.at()
            answer = method(*arguments)
            if name == self.name:
                self.at()
            return answer

        return call


def cut(desk, name, at, *, after=False):
    """The desk whose ledger or broker is cut off at the call `name`."""
    return replace(
        desk,
        ledger=Cut(desk.ledger, name, at, after=after),
        broker=Cut(desk.broker, name, at, after=after),
    )


def die():
    """End this process as `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    dsn, call = sys.argv[1:]
    stored = StoredLedger(Database(dsn, application="cut-off"), Mode.PAPER, "paper")
    run_cycle(cut(desk_on(stored), call, die), PAIRS, END)
