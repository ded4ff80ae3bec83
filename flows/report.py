"""What the desk would have earned, and what it did today."""

from prefect import flow

from flows.jobs import notebook
from helios_core.domain.runs import Json


@flow(name="report", retries=0)
def report(
    pairs: list[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    day: str | None = None,
    force_model: bool = False,
) -> Json:
    """Run the backtest of the policy and write the report of a day; neither orders anything.

    Parameters
    ----------
    pairs : list of str, optional
        Exchange symbols, for example BTCZAR.
    start, end : str, optional
        Range of the backtest, ISO 8601, UTC.
    day : str, optional
        Day of the report, for example 2026-01-31, UTC.
    force_model : bool
        Replay a model that did not pass the gate; the report is of what was done, not of this.
    """
    span = {"pairs": pairs, "start": start, "end": end}
    forced = {"force_model": True} if force_model else {}
    backtest = notebook("62_backtest", span | forced)
    daily = notebook("71_daily_report", {"pairs": pairs, "day": day})
    return {"62_backtest": backtest, "71_daily_report": daily}
