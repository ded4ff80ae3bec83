"""Whatever a decision holds, the ledger gives it back: through JSON text, exactly."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from helios_core.domain.decisions import (
    Decision,
    RiskDecision,
    Signal,
    Stage,
    StrategicView,
    TargetPortfolio,
    Tilt,
)
from helios_core.domain.trading import Account, Fill, Order, Position, Skip
from helios_core.store.records import decode, encode

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
number = st.floats(allow_nan=True, allow_infinity=True)
money = st.decimals(allow_nan=False, allow_infinity=False, places=8)
instant = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0))
PLAIN = {float: number, str: text, datetime: instant, str | None: st.none() | text}


def built(kind, **fields):
    """Build a dataclass; numbers, text and times come from the strategies above."""
    plain = {name: PLAIN[hint] for name, hint in get_type_hints(kind).items() if hint in PLAIN}
    return st.builds(kind, **{**plain, **fields})


def few(strategy):
    return st.lists(strategy, max_size=2).map(tuple)


order = built(
    Order, quantity=money, price=st.none() | money, reference_price=money, client_order_id=text
)
fill = built(Fill, price=money, quantity=money, fee=money)
position = built(Position, quantity=money, average_price=money)
account = built(Account, cash=money, positions=few(position), peak_equity=money)
stage = built(Stage)
risk = built(
    RiskDecision, stages=few(stage), leverage_caps=few(st.tuples(text, number))
)  # fmt: skip
target = built(
    TargetPortfolio, pairs=few(text), current=few(number), weights=few(number),
    stages=few(st.tuples(text, stage)),
)  # fmt: skip
view = built(StrategicView, tilts=few(built(Tilt)))
decision = built(
    Decision, signals=few(built(Signal)), view=view, risks=few(risk), target=target,
    orders=few(order), skips=few(built(Skip)),
)  # fmt: skip


def same(a, b):
    """Equality in which NaN equals itself and minus zero differs from zero."""
    return repr(a) == repr(b)


@given(decision)
def test_a_decision_survives_its_record(made):
    back = decode(Decision, json.loads(json.dumps(encode(made), allow_nan=False)))

    assert same(back, made)


@given(fill, account)
def test_fills_and_accounts_survive_their_record(one, book):
    for value in (one, book):
        back = decode(type(value), json.loads(json.dumps(encode(value), allow_nan=False)))

        assert same(back, value)
        assert back == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_exact_after_the_decimal_that_the_database_keeps(value):
    """jsonb holds numbers as decimals: as many digits as were written, and no minus zero."""
    plain = encode(value)
    if isinstance(plain, float):
        plain = json.loads(f"{Decimal(repr(plain)):f}")

    back = decode(float, plain)
    assert back == value
    assert math.copysign(1, back) == math.copysign(1, value)
