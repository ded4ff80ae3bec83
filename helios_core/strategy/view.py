"""Making strategic views; the type itself is `domain.decisions.StrategicView`."""

from datetime import datetime, timedelta

from helios_core.domain.decisions import StrategicView


def abstain(
    as_of: datetime,
    reason: str,
    valid_for: timedelta,
    *,
    provider: str = "none",
    prompt_hash: str = "",
) -> StrategicView:
    """Return the view that changes nothing, with the reason why there is no other.

    Parameters
    ----------
    reason : str
        One sentence for people.
    provider : str
        Who was asked, "none" if nobody could be.
    prompt_hash : str
        Of the brief that was not answered, if there was one.
    """
    return StrategicView(
        as_of=as_of,
        regime="unknown",
        risk_multiplier=1.0,
        tilts=(),
        halt_new_entries=False,
        abstained=True,
        reason=reason,
        provider=provider,
        prompt_hash=prompt_hash,
        valid_until=as_of + valid_for,
    )
