"""What each notebook emits: plain numbers, ids and one verdict, checked by the flow that reads it.

Money is in quote currency, shares are fractions, times are UTC. A number that could not be
computed is None, never 0.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["backtest", "paper", "live"]


class Result(BaseModel):
    """What every notebook reports."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    verdict: str = Field(min_length=1, description="one sentence for people")
    simulated: bool = Field(description="whether a generated market is part of it")
    data_as_of: datetime | None = Field(
        default=None, description="open time of the newest candle used"
    )
    figures: dict[str, str] = Field(
        default_factory=dict, description="path of each figure that was kept, PNG"
    )


class TourResult(Result):
    """00_tour: the whole chain on a generated market, in memory."""

    candles: int
    features: int = Field(description="features that are computed")
    sigma_minute: float = Field(description="newest forecast, standard deviation of a minute")
    weight: float
    orders: int


class IngestResult(Result):
    """11_ingest: what is in the store now."""

    pairs: list[str]
    source: str
    rows: int = Field(description="base candles in the store for these pairs")
    inserted: int
    unchanged: int
    gaps: int = Field(description="runs of missing bars")
    missing: int = Field(description="missing bars")
    first: datetime | None
    last: datetime | None


class FeaturesResult(Result):
    """12_features: what was computed and stored."""

    pairs: list[str]
    feature_set: str
    rows: int
    implemented: int
    coverage: float = Field(description="share of finite values among implemented features")


class TrainResult(Result):
    """21_train: the candidate and its baselines, on the test part."""

    model_id: str
    pairs: list[str]
    start: datetime = Field(description="open time of the first candle used")
    end: datetime = Field(description="open time behind the last candle used")
    parameters: int = Field(description="weights of the network")
    epochs: int
    seed: int
    test_samples: int
    log_loss: float | None
    baseline_log_loss: float | None = Field(description="volatility only")
    direction_auc: float | None
    direction_auc_low: float | None = Field(description="lower bound of the 95 % interval")
    baseline_direction_auc: float | None = Field(description="best of the baselines")
    gate_passed: bool = Field(description="what the gate would say of this evidence")


class EvaluateResult(Result):
    """22_evaluate: the recorded verdict of the promotion gate."""

    model_id: str
    passed: bool
    checks_passed: int
    checks: int
    champion: str | None = Field(description="model that is promoted now")
    newest_lean: datetime | None = Field(
        description="newest close of the test part among the tenth that the model likes best"
    )


class RiskResult(Result):
    """31_risk: tier 3 at one time, per pair."""

    as_of: datetime
    sigma: dict[str, float | None] = Field(description="standard deviation of the next bar")
    method: dict[str, str]
    size: dict[str, float] = Field(description="share of equity")
    binding: dict[str, str]


class ViewResult(Result):
    """41_view: what the strategist said."""

    as_of: datetime
    regime: str
    risk_multiplier: float
    abstained: bool
    provider: str
    prompt_hash: str


class PortfolioResult(Result):
    """51_portfolio: target weights at one time."""

    as_of: datetime
    weights: dict[str, float]
    cash: float
    method: str
    status: str


class CycleSummary(Result):
    """61_trading_cycle: what one cycle decided and did."""

    decision_id: str
    as_of: datetime
    mode: Mode
    book: str
    pairs: list[str]
    model_id: str | None
    forced: bool
    replayed: bool = Field(description="the decision was already in the ledger")
    weights: dict[str, float]
    orders: list[str] = Field(description="client order ids")
    fills: int
    skips: list[str]
    equity_before: float
    equity_after: float


class BacktestSummary(Result):
    """62_backtest: performance of the policy on stored data, beside doing nothing clever."""

    pairs: list[str]
    start: datetime
    end: datetime
    cycles: int
    model_id: str | None
    total_return: float | None
    buy_and_hold_return: float | None
    sharpe: float | None
    max_drawdown: float | None
    fees: float
    fills: int


class ReportResult(Result):
    """71_daily_report: the book at the end of a day."""

    day: str
    book: str
    equity: float | None
    cycles: int
    decisions: int
    orders: int
    fills: int
    failed_runs: int
    why_nothing: str | None = Field(description="why there was no order; None if there was one")


RESULTS: dict[str, type[Result]] = {
    "00_tour": TourResult,
    "11_ingest": IngestResult,
    "12_features": FeaturesResult,
    "21_train": TrainResult,
    "22_evaluate": EvaluateResult,
    "31_risk": RiskResult,
    "41_view": ViewResult,
    "51_portfolio": PortfolioResult,
    "61_trading_cycle": CycleSummary,
    "62_backtest": BacktestSummary,
    "71_daily_report": ReportResult,
}
