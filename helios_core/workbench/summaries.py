"""What the notebooks of tiers 3 to 5 and of the cycle emit."""

from helios_core.cycle import Desk
from helios_core.domain.decisions import CycleRecord
from helios_core.workbench.desk import Outlook, is_simulated
from helios_core.workbench.results import CycleSummary, PortfolioResult, RiskResult, ViewResult
from helios_core.workbench.training import finite


def risk_result(desk: Desk, seen: Outlook) -> RiskResult:
    """Return what 31_risk emits."""
    risks = seen.decision.risks
    sized = [f"{risk.pair} {risk.size:.2%}" for risk in risks]
    return RiskResult(
        verdict=f"at most {', '.join(sized)} of equity",
        simulated=is_simulated(desk, seen.seen.pairs),
        data_as_of=seen.decision.data_as_of,
        as_of=seen.decision.as_of,
        sigma={risk.pair: finite(risk.sigma) for risk in risks},
        method={risk.pair: risk.volatility_method for risk in risks},
        size={risk.pair: risk.size for risk in risks},
        binding={risk.pair: risk.binding for risk in risks},
    )


def view_result(desk: Desk, seen: Outlook) -> ViewResult:
    """Return what 41_view emits."""
    view = seen.decision.view
    said = f"abstained: {view.reason}" if view.abstained else f"{view.regime}: {view.reason}"
    return ViewResult(
        verdict=said,
        simulated=is_simulated(desk, seen.seen.pairs),
        data_as_of=seen.decision.data_as_of,
        as_of=view.as_of,
        regime=view.regime,
        risk_multiplier=view.risk_multiplier,
        abstained=view.abstained,
        provider=view.provider,
        prompt_hash=view.prompt_hash,
    )


def portfolio_result(desk: Desk, seen: Outlook) -> PortfolioResult:
    """Return what 51_portfolio emits."""
    target = seen.decision.target
    weights = dict(zip(target.pairs, target.weights, strict=True))
    wanted = ", ".join(f"{pair} {weight:.2%}" for pair, weight in weights.items())
    return PortfolioResult(
        verdict=f"{target.method}: {wanted}, cash {target.cash:.2%}",
        simulated=is_simulated(desk, target.pairs),
        data_as_of=seen.decision.data_as_of,
        as_of=target.as_of,
        weights=weights,
        cash=target.cash,
        method=target.method,
        status=target.status,
    )


def cycle_summary(desk: Desk, record: CycleRecord) -> CycleSummary:
    """Return what 61_trading_cycle emits."""
    decision = record.decision
    target = decision.target
    again = "; already decided, nothing was sent again" if record.replayed else ""
    return CycleSummary(
        verdict=f"{decision.verdict}{again}",
        simulated=is_simulated(desk, target.pairs),
        data_as_of=decision.data_as_of,
        decision_id=decision.decision_id,
        as_of=decision.as_of,
        mode=decision.mode.value,
        book=decision.book,
        pairs=list(target.pairs),
        model_id=decision.model_id,
        forced=decision.forced,
        replayed=record.replayed,
        weights=dict(zip(target.pairs, target.weights, strict=True)),
        orders=[order.client_order_id for order in decision.orders],
        fills=len(record.fills),
        skips=[f"{skip.pair}: {skip.code}: {skip.reason}" for skip in decision.skips],
        equity_before=record.equity_before,
        equity_after=record.equity_after,
    )
