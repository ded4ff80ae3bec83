from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from helios_core.errors import PortfolioError
from helios_core.portfolio.config import PortfolioConfig
from helios_core.portfolio.mean_variance import Solution
from helios_core.portfolio.rebalance import Holding, band_half_width, rebalance

CONFIG = PortfolioConfig()
AS_OF = datetime(2024, 12, 20, 12, tzinfo=UTC)


def target(current, wanted, upper=None, cost=0.0035, config=CONFIG):
    count = len(current)
    holding = Holding(
        AS_OF,
        tuple(f"SIM{i}" for i in range(count)),
        np.array(current, dtype=float),
        np.full(count, 0.5) if upper is None else np.array(upper, dtype=float),
        np.full(count, cost),
    )
    return rebalance(
        holding, Solution(np.array(wanted, dtype=float), "mean_variance", "optimal"), config
    )


@pytest.mark.parametrize(("cost", "width"), [(0.0035, 0.042), (0.0010, 0.028), (0.0002, 0.016)])
def test_the_band_has_the_tabled_width(cost, width):
    """A quarter of equity at gamma 2.5, in percentage points."""
    found = band_half_width(np.array([0.25]), np.array([cost]), 2.5)

    assert found[0] == pytest.approx(width, abs=5e-4)


@pytest.mark.parametrize(
    ("current", "weight"),
    [(0.25, 0.25), (0.22, 0.22), (0.28, 0.28), (0.10, 0.25 - 0.0420), (0.40, 0.25 + 0.0420)],
)
def test_trades_go_to_the_edge_of_the_band_only(current, weight):
    assert target([current], [0.25]).weights[0] == pytest.approx(weight, abs=1e-4)


def test_without_cost_there_is_no_band():
    assert target([0.3, 0.0], [0.25, 0.1], cost=0.0).weights == (0.25, 0.1)


def test_a_pair_that_is_not_wanted_is_sold_completely():
    assert target([0.3], [0.0]).weights == (0.0,)


def test_a_risk_limit_goes_through_inside_the_band():
    """The weight lies inside its band, but tier 3 allows less."""
    found = target([0.26], [0.24], upper=[0.25])

    assert found.weights == (0.25,)


def test_what_was_wanted_above_the_limit_is_cut():
    assert max(target([0.0, 0.3], [0.4, 0.4], upper=[0.1, 0.0]).weights) == 0.1


def test_bands_do_not_add_up_to_debt():
    """Four pairs at the top of their bands would hold 1.05; the excess over 0.96 goes."""
    current = [0.28, 0.27, 0.26, 0.24]
    found = target(current, [0.24] * 4, cost=0.0035)

    assert sum(found.weights) == pytest.approx(1.0)
    assert all(0.24 <= w <= c for w, c in zip(found.weights, current, strict=True))


def test_the_rounding_of_a_book_without_cash_is_not_traded():
    current = (0.5000000000000002, 0.5)

    assert sum(current) > 1
    assert target(current, current, upper=[0.6, 0.6]).weights == current


def test_too_much_wanted_is_scaled():
    found = target([0.0] * 3, [0.5, 0.5, 0.5], cost=0.0)

    np.testing.assert_allclose(found.weights, [1 / 3] * 3)


def test_every_step_of_every_pair_is_on_record():
    found = target([0.1, 0.3], [0.25, 0.25], upper=[0.3, 0.2])
    steps = {pair: [stage for p, stage in found.stages if p == pair] for pair in found.pairs}

    assert [s.name for s in steps["SIM0"]] == ["optimizer", "band", "risk_reduction", "gross"]
    assert steps["SIM1"][2].bound
    for i, pair in enumerate(found.pairs):
        stages = steps[pair]
        assert stages[-1].after == found.weights[i]
        assert all(a.after == b.before for a, b in pairwise(stages))


def test_the_target_carries_the_word_of_the_solver():
    found = target([0.1], [0.2])

    assert (found.method, found.status, found.as_of) == ("mean_variance", "optimal", AS_OF)
    assert found.cash == pytest.approx(1 - found.gross)


def test_arrays_of_another_length_are_refused():
    with pytest.raises(PortfolioError, match="one weight, limit and cost for each"):
        target([0.1, 0.2], [0.1])
