"""Keeps the brief that a strategist was shown, so that a view can be read beside its question."""

from datetime import datetime, timedelta

from helios_core.domain.decisions import StrategicView
from helios_core.ports import Strategist
from helios_core.store.database import Database, query
from helios_core.store.records import storable_text
from helios_core.strategy.brief import digest


class RecordedStrategist:
    """Implements `ports.Strategist`: keeps the brief, then asks the strategist behind it.

    Parameters
    ----------
    inner : Strategist
        Who answers.
    database : Database
        With the right to write.
    run_id : str, optional
        Run that asks.
    """

    def __init__(self, inner: Strategist, database: Database, run_id: str | None = None) -> None:
        self._inner, self._database, self._run_id = inner, database, run_id

    def view(self, as_of: datetime, brief: str, valid_for: timedelta) -> StrategicView:
        """Return the view of the strategist; equal briefs are kept once."""
        row = {
            "sha256": digest(brief),
            "ts": as_of,
            "brief": storable_text(brief),
            "run_id": self._run_id,
        }
        with self._database.connection() as conn:
            conn.execute(query("context_record"), row)
        return self._inner.view(as_of, brief, valid_for)
