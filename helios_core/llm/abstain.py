"""The strategist of a desk without a language model: it abstains and says why."""

from datetime import datetime, timedelta

from helios_core.domain.decisions import StrategicView
from helios_core.strategy.brief import digest
from helios_core.strategy.view import abstain

NO_KEY = "no key of a language model is set: tier 4 is off and changes nothing"


class AbstainingStrategist:
    """Implements `ports.Strategist`: every view is neutral and carries the reason."""

    def __init__(self, reason: str = NO_KEY) -> None:
        self.reason = reason

    def view(self, as_of: datetime, brief: str, valid_for: timedelta) -> StrategicView:
        """Return an abstention that names the brief it did not answer."""
        return abstain(as_of, self.reason, valid_for, prompt_hash=digest(brief))
