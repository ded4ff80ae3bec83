import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Literal

import numpy as np
import pytest

from helios_core.domain.trading import Mode, OrderState
from helios_core.errors import StoreError
from helios_core.store.records import decode, encode, jsonb

T0 = datetime(2025, 1, 31, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=2)))


@dataclass(frozen=True)
class Inner:
    price: Decimal | None
    state: OrderState


@dataclass(frozen=True)
class Outer:
    name: str
    at: datetime
    mode: Mode
    kind: Literal["a", "b"]
    count: int
    share: float
    done: bool
    inner: tuple[Inner, ...]
    pair: tuple[str, float]


def outer(**changes):
    plain = {
        "name": "n", "at": T0, "mode": Mode.PAPER, "kind": "a", "count": 3, "share": 0.1,
        "done": True, "pair": ("x", 2.5),
        "inner": (Inner(Decimal("1.50"), OrderState.SENT), Inner(None, OrderState.FILLED)),
    }  # fmt: skip
    return Outer(**{**plain, **changes})


def through_json(value):
    return decode(type(value), json.loads(json.dumps(encode(value), allow_nan=False)))


def test_the_json_of_a_record_is_plain():
    assert encode(outer()) == {
        "name": "n",
        "at": "2025-01-31T12:30:15.123456+02:00",
        "mode": "paper",
        "kind": "a",
        "count": 3,
        "share": 0.1,
        "done": True,
        "inner": [{"price": "1.50", "state": "SENT"}, {"price": None, "state": "FILLED"}],
        "pair": ["x", 2.5],
    }


def test_a_record_reads_back_equal_and_of_the_same_types():
    back = through_json(outer())

    assert back == outer()
    assert str(back.inner[0].price) == "1.50"
    assert isinstance(back.mode, Mode)
    assert isinstance(back.inner, tuple)


@pytest.mark.parametrize("share", [math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
def test_floats_are_exact(share):
    assert through_json(outer(share=share)).share == share


def test_a_float_that_is_not_a_number_and_minus_zero_survive():
    assert math.isnan(through_json(outer(share=math.nan)).share)
    assert encode(math.nan) is None
    assert math.copysign(1, through_json(outer(share=-0.0)).share) == -1


def test_a_whole_number_that_json_made_of_a_float_is_a_float_again():
    plain = encode(outer()) | {"share": 2}

    assert isinstance(decode(Outer, plain).share, float)


def test_numbers_of_numpy_are_kept_as_floats():
    assert through_json(outer(share=np.float64(0.25))) == outer(share=0.25)


@pytest.mark.parametrize(
    "value",
    [object(), {1}, datetime(2025, 1, 1), np.float32(1.0), b"x"],  # noqa: DTZ001
)
def test_what_a_record_cannot_hold_is_refused(value):
    with pytest.raises(StoreError, match="found"):
        encode(outer(name=value))


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "yesterday"}, {"mode": "paprika"}, {"kind": "c"}, {"count": "3"}, {"count": True},
        {"share": "much"}, {"done": 1}, {"inner": 5}, {"inner": [{"price": "x", "state": "SENT"}]},
        {"pair": ["x"]}, {"name": None}, {"extra": 1},
    ],
)  # fmt: skip
def test_a_damaged_record_is_told_in_a_sentence(changes):
    with pytest.raises(StoreError, match=r"not a Outer|not a"):
        decode(Outer, encode(outer()) | changes)


def test_a_missing_field_is_told():
    plain = encode(outer())
    del plain["mode"]

    with pytest.raises(StoreError, match="mode"):
        decode(Outer, plain)


def test_jsonb_replaces_what_postgresql_refuses():
    value = {"a\0": ["b\0c", "\ud800", math.nan, -math.inf, 1.5, None, ("t",)]}
    wrapped = jsonb(value)

    assert json.loads(wrapped.dumps(wrapped.obj)) == {
        "a\ufffd": ["b\ufffdc", "?", None, None, 1.5, None, ["t"]]
    }


def test_times_keep_their_instant():
    assert through_json(outer(at=T0.astimezone(UTC))).at == T0
