"""One trading cycle: risk, view and portfolio are shown, then the cycle decides and orders."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.jobs import notebook
from helios_core.domain.market import Timeframe
from helios_core.domain.runs import Json

BAR = Timeframe.M1.duration
LATEST = timedelta(minutes=3)  # a scheduled cycle that starts later than this has missed its bar
SCHEDULED = "auto-scheduled"  # Prefect's tag of runs that a schedule made


@flow(name="trade", retries=0)
def trade(
    pairs: list[str] | None = None,
    as_of: str = "",
    mode: Literal["paper", "live"] = "paper",
    force_model: bool = False,
) -> Json | State[Json]:
    """Decide and execute for the bar that closed at `as_of`; the same bar never orders twice.

    Parameters
    ----------
    pairs : list of str, optional
        Exchange symbols of the whole book, for example BTCZAR.
    as_of : str
        Close of the deciding bar, ISO 8601, UTC. Empty: the minute this run was due, never now.
    mode : {"paper", "live"}
        Paper fills orders from stored prices and needs no key.
    force_model : bool
        Let a model that did not pass the gate decide; paper only.
    """
    refused = _refusal()
    if refused:
        return Completed(name="Skipped", message=refused)
    at = {"pairs": pairs, "as_of": as_of or due_bar().isoformat()}
    forced = {"force_model": True} if force_model else {}
    return {
        "31_risk": notebook("31_risk", at | forced),
        "41_view": notebook("41_view", at),
        "51_portfolio": notebook("51_portfolio", at | forced),
        "61_trading_cycle": notebook("61_trading_cycle", at | forced | {"mode": mode}),
    }


def due_bar() -> datetime:
    """Return the close of the last bar that had closed when this run was due."""
    return floor_to_bar(_due())


def floor_to_bar(at: datetime) -> datetime:
    """Return `at` in UTC, rounded down to the end of a bar."""
    utc = at.astimezone(UTC)
    return utc - (utc - datetime.min.replace(tzinfo=UTC)) % BAR


def _refusal() -> str | None:
    """Return why a run that a schedule made does not trade, None if it does.

    Runs that a person starts are not asked.
    """
    from prefect.runtime import flow_run

    from helios_core.bootstrap import SystemClock
    from helios_core.settings import load_settings

    if SCHEDULED not in flow_run.tags:
        return None
    if not load_settings().trading.auto_trading:
        return "scheduled cycles do not trade; HELIOS_TRADING__AUTO_TRADING=true lets them"
    late = SystemClock().now() - _due()
    if late > LATEST:
        return f"missed: it was due {_due():%Y-%m-%d %H:%MZ}, {late} ago; the next one decides"
    return None


def _due() -> datetime:
    from prefect.runtime import flow_run

    due: datetime = flow_run.scheduled_start_time
    return due.astimezone(UTC)
