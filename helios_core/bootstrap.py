"""The only wiring: which clock, data source, broker and model stand behind the ports.

Backtest, paper and live differ here and nowhere else.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from helios_core.domain.trading import Mode
from helios_core.errors import SafetyError, UsageError
from helios_core.settings import Settings

if TYPE_CHECKING:
    from helios_core.backtest.fills import PaperBroker
    from helios_core.cycle import Desk
    from helios_core.domain.market import PairRules
    from helios_core.domain.runs import ModelCard
    from helios_core.forecast import Policy, Scorer
    from helios_core.ports import Market, Strategist
    from helios_core.store.database import Database
    from helios_core.store.embedded import EmbeddedServer
    from helios_core.store.migrations import Applied

MODEL_NAME = "heliosnet"
FORCED_WEIGHT = 0.05  # of equity in a pair, for a model that was not promoted


class SystemClock:
    """Wall clock and monotonic clock of this machine."""

    def now(self) -> datetime:
        """Return the current time, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        time.sleep(seconds)


class SystemIds:
    """Fresh identifiers from the operating system's randomness."""

    def run_id(self, now: datetime) -> str:
        """Return an id that sorts by time, for example ``20260131T120000-3f2a91c4``."""
        return f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"

    def nonce(self) -> str:
        """Return 32 unguessable hex digits."""
        return secrets.token_hex(16)


def start_logs(settings: Settings) -> None:
    """Send the logs of this process to the files of the desk."""
    from helios_core.logs import configure_logs

    logs = settings.logs
    configure_logs(
        settings.home / "logs",
        level=logs.level,
        style=logs.format,
        max_bytes=logs.max_bytes,
        keep=logs.keep,
    )


def embedded_server(settings: Settings) -> "EmbeddedServer":
    """Return the launcher of this desk's own PostgreSQL."""
    from helios_core.store.embedded import EmbeddedServer

    return EmbeddedServer(
        settings.home, binaries=settings.pg_bin, timescaledb=settings.timescaledb_dir
    )


def database_dsn(settings: Settings, role: str) -> str:
    """Return the address of the database for `role`; starts the embedded server if it is used.

    An own server is reached as the user that its address names, whatever the role: it is the
    owner of that server who decides how far that user may go.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    server = embedded_server(settings)
    server.start()
    return server.dsn(role=role)


def prefect_database_url(settings: Settings) -> str:
    """Return the SQLAlchemy address of Prefect's own database."""
    if settings.flows.database_url is not None:
        return settings.flows.database_url.get_secret_value()
    server = embedded_server(settings)
    server.start()
    return server.sqlalchemy_url(database="prefect", role="prefect")


def open_store(settings: Settings, role: str = "app") -> "Database":
    """Return the database of this desk; a context manager that closes its pool.

    Parameters
    ----------
    role : {"owner", "app", "ro"}
        Migrations and imports, which refresh roll-ups, need the owner; notebooks and the cycle
        the app role; reports read only.
    """
    from helios_core.store.database import Database

    return Database(
        database_dsn(settings, role), application=f"helios-{role}", read_only=role == "ro"
    )


def prepare_schema(settings: Settings) -> "list[Applied]":
    """Migrate the database and make the pairs and the feature set known to it."""
    from helios_core.domain.pairs import builtin_rules
    from helios_core.market.catalogue import FEATURE_NAMES, FEATURE_SET
    from helios_core.store import market, research
    from helios_core.store.migrations import migrate

    owner = database_dsn(settings, "owner")
    applied = migrate(owner)
    with open_store(settings, role="owner") as database, database.connection() as conn:
        market.upsert_pair_rules(conn, list(builtin_rules()))
        research.save_feature_set(conn, FEATURE_SET, FEATURE_NAMES)
    return applied


def bench_context(settings: Settings) -> dict[str, Any]:
    """Return what a bench may need of this desk: the address of a database it may write to."""
    return {"dsn": database_dsn(settings, "owner")}


def database_status(settings: Settings) -> dict[str, Any]:
    """Return server, level, migrations, clock and table sizes; starts the embedded server."""
    from helios_core.store.status import database_status as measure

    return measure(database_dsn(settings, "owner"), SystemClock())


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that decides: the champion, or on request the newest one, or none."""

    card: "ModelCard | None"
    forced: bool  # it was not promoted
    reason: str  # one sentence for people


def choose_model(database: "Database", *, force_model: bool) -> ModelChoice:
    """Return the champion; without one, the newest model if it is forced, else none.

    A model of another feature set than the present one is never chosen.
    """
    from helios_core.market.catalogue import FEATURE_SET
    from helios_core.store import registry

    with database.connection() as conn:
        champion = registry.champion(conn, MODEL_NAME)
        newest = registry.newest_model(conn, MODEL_NAME) if force_model else None
    if champion is not None and champion.feature_set == FEATURE_SET:
        return ModelChoice(champion, False, f"{champion.model_id} is promoted")
    if newest is not None and newest.feature_set == FEATURE_SET:
        return ModelChoice(newest, True, f"{newest.model_id} is forced: it is not promoted")
    old = champion or newest
    if old is not None:
        return ModelChoice(None, False, f"{old.model_id} knows another feature set; train again")
    wanted = "there is no model to force" if force_model else "no promoted model"
    return ModelChoice(None, False, wanted)


def load_scorer(settings: Settings, card: "ModelCard", *, forced: bool = False) -> "Scorer":
    """Return the model of `card`, ready to score; its file is checked against the card.

    The direction of a forced model is taken as the network gives it, measured from its median: a
    model without skill is silenced by calibration, or leans to one side for weeks, and would show
    no order.
    """
    from functools import partial

    from helios_core.market.catalogue import FEATURE_SET
    from helios_core.network.artifacts import load_model
    from helios_core.network.inference import score

    model = load_model(settings.models, card, feature_set=FEATURE_SET)
    return partial(score, replace(model, centered=forced))


def policy_for(settings: Settings, quote: str, horizon: int | None = None) -> "Policy":
    """Return the policy of a book kept in `quote`; the horizon is that of the model, in bars."""
    from helios_core.forecast import Policy

    return Policy(
        quote=quote,
        horizon=horizon or settings.network.label.horizon,
        risk=settings.risk,
        strategy=settings.strategy,
        portfolio=settings.portfolio,
        execution=settings.execution,
        history=settings.market.history,
        max_age=timedelta(minutes=settings.market.max_age_minutes),
        view_lifetime=settings.strategy.valid_for,
        opening_cash=settings.trading.opening_cash,
    )


def forced_policy(policy: "Policy") -> "Policy":
    """Return the policy of a model that was not promoted and is forced on paper.

    Its signals are believed without a doubt and costs are left out of the decision, so that
    its orders can be seen; a pair gets at most `FORCED_WEIGHT` of equity. Fills pay all costs.
    """
    risk, portfolio = policy.risk, policy.portfolio
    return replace(
        policy,
        risk=replace(
            risk,
            effective_samples=1e9,
            prior_samples=0.0,
            calibration_error=0.0,
            max_weight=min(risk.max_weight, FORCED_WEIGHT),
        ),
        portfolio=replace(portfolio, max_gross=min(portfolio.max_gross, 10 * FORCED_WEIGHT)),
        execution=replace(
            policy.execution,
            taker_fee_fiat=0.0,
            taker_fee_crypto=0.0,
            half_spread_bps=0.0,
            slippage_bps=0.0,
        ),
    )


def book_of(settings: Settings, rules: "Sequence[PairRules]") -> str:
    """Return the book that these pairs are traded in; generated pairs have one of their own.

    Raises
    ------
    UsageError
        If generated and real pairs are mixed, or quote currencies are.
    """
    simulated = {rule.simulated for rule in rules}
    if len(simulated) > 1:
        raise UsageError(
            f"generated and real pairs never share a book, found "
            f"{', '.join(rule.pair for rule in rules)}; decide for each kind on its own"
        )
    quotes = sorted({rule.quote for rule in rules})
    if len(quotes) != 1:
        found = ", ".join(quotes) or "no pair at all"
        raise UsageError(f"all pairs of a book have one quote currency, found {found}")
    return f"{settings.trading.book}-sim" if simulated == {True} else settings.trading.book


def open_desk(  # noqa: PLR0913 - a desk is made of all of these
    settings: Settings,
    database: "Database",
    clock: SystemClock,
    pairs: Sequence[str],
    *,
    mode: str,
    run_id: str,
    force_model: bool = False,
) -> "Desk":
    """Return the desk that decides for `pairs`: data source, ledger, broker and model by mode.

    Raises
    ------
    UsageError
        If the mode is unknown, or the pairs do not fit into one book.
    SafetyError
        If live trading is asked for, which this release refuses.
    """
    from helios_core.cycle import Desk
    from helios_core.network.config import network_config
    from helios_core.store.books import StoredLedger
    from helios_core.store.briefs import RecordedStrategist
    from helios_core.store.market import StoredMarket

    chosen_mode = _mode(mode)
    market = StoredMarket(database)
    rules = [market.rules(pair) for pair in pairs]
    book = book_of(settings, rules)
    model = choose_model(database, force_model=force_model)
    horizon = network_config(model.card.config).label.horizon if model.card else None
    policy = policy_for(settings, rules[0].quote, horizon)
    broker = paper_broker(market, policy)  # fills pay the costs that a forced model ignores
    return Desk(
        clock=clock,
        market=market,
        ledger=StoredLedger(database, chosen_mode, exchange="paper"),
        broker=broker,
        strategist=RecordedStrategist(strategist(settings), database, run_id),
        scorer=load_scorer(settings, model.card, forced=model.forced) if model.card else None,
        policy=forced_policy(policy) if model.forced else policy,
        mode=chosen_mode,
        book=book,
        run_id=run_id,
        forced=model.forced,
        model_id=model.card.model_id if model.card else None,
    )


def paper_broker(market: "Market", policy: "Policy") -> "PaperBroker":
    """Return a broker that fills at the last stored close with the costs of the policy."""
    from helios_core.backtest.fills import PaperBroker, last_close

    prices = last_close(market, policy.timeframe, policy.max_age)
    return PaperBroker(prices, market.rules, policy.execution)


def strategist(settings: Settings) -> "Strategist":
    """Return tier 4: without a key it abstains; this release has no provider behind a key."""
    from helios_core.llm.abstain import NO_KEY, AbstainingStrategist

    if settings.llm.anthropic_api_key is None:
        return AbstainingStrategist(NO_KEY)
    return AbstainingStrategist("a key is set, but this release asks no provider yet")


def _mode(name: str) -> Mode:
    """Return the mode; this is the only place that tells paper from live."""
    try:
        mode = Mode(name)
    except ValueError:
        raise UsageError(f"a mode is paper or live, found {name!r}") from None
    if mode is Mode.LIVE:
        raise SafetyError(
            "live trading is refused: this release has no live broker and no way to arm one; "
            "use mode paper"
        )
    if mode is Mode.BACKTEST:
        raise UsageError("a cycle is run in mode paper; replay history with 62_backtest")
    return mode
