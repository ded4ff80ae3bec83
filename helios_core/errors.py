"""Every error Helios raises, as one tree; the exit code of the command line hangs on the class.

::

    HeliosError                    1  anything Helios noticed and refuses to go on with
    |- UsageError                  2  the call itself is wrong: unknown option, parameter, type
    |- ConfigError                 3  settings, .env or a secret file cannot be used
    |- NotFoundError               4  a named thing does not exist: file, pair, run, order, model
    |- DependencyError             5  database, Prefect, exchange or port is not available
    |- DeadlineError               6  a time limit passed
    |- GateError                   7  a check or promotion gate did not pass
    |- SafetyError                 8  refused to protect money: halted, not armed, over a limit
    |- DataError                   1  market data is wrong: columns, order, prices, gaps
    |  `- StaleDataError           1  the newest data is older than the policy allows
    |- ModelError                  1  tier 2: features, labels, training, artifacts
    |- RiskError                   1  tier 3: a number that sizing cannot use
    |- PortfolioError              1  tier 5: moments or weights that cannot be computed
    |- OrderError                  1  an order that breaks the rules of its pair or its state
    |- NotebookError               1  a notebook failed, was killed, or broke its contract
    `- StoreError                  1  the database refused what Helios asked of it
       `- MigrationError           1  the schema and the files in sql/schema do not agree
"""

from datetime import datetime, timedelta
from typing import ClassVar


class HeliosError(Exception):
    """Base of all errors that Helios raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(HeliosError):
    """The call is wrong and would be wrong on any machine."""

    exit_code = 2


class ConfigError(HeliosError, ValueError):
    """A setting cannot be used; it is a ValueError so that pydantic reports the field."""

    exit_code = 3


class NotFoundError(HeliosError):
    """Something was asked for by name and does not exist."""

    exit_code = 4


class DependencyError(HeliosError):
    """A database, server, exchange or port that Helios needs is not available."""

    exit_code = 5


class DeadlineError(HeliosError):
    """A time limit passed before the work was done."""

    exit_code = 6


class GateError(HeliosError):
    """A check or a promotion gate did not pass."""

    exit_code = 7


class SafetyError(HeliosError):
    """Refused, because going on could cost money."""

    exit_code = 8


class DataError(HeliosError):
    """Market data does not have the shape or the values that it must have."""


class StaleDataError(DataError):
    """The newest candle is older than the policy allows; trading must not go on."""

    def __init__(self, pair: str, newest: datetime, as_of: datetime, limit: timedelta) -> None:
        super().__init__(pair, newest, as_of, limit)  # args rebuild the error when unpickled
        self.pair, self.newest, self.as_of, self.limit = pair, newest, as_of, limit

    def __str__(self) -> str:
        return (
            f"{self.pair}: the newest candle closed {self.newest:%Y-%m-%d %H:%MZ}, "
            f"{self.as_of - self.newest} before the decision; the limit is {self.limit}. "
            f"Bring newer data with `helios data import`, or raise "
            f"HELIOS_MARKET__MAX_AGE_MINUTES if the exchange was closed."
        )


class ModelError(HeliosError):
    """Tier 2 cannot train, load or use a model."""


class RiskError(HeliosError):
    """Tier 3 was given a number it cannot size with."""


class PortfolioError(HeliosError):
    """Tier 5 cannot compute moments or weights."""


class OrderError(HeliosError):
    """An order breaks the rules of its pair, or a transition that its state allows."""


class NotebookError(HeliosError):
    """A notebook failed, was killed, or did not keep its contract."""


class StoreError(HeliosError):
    """The database refused a statement that Helios expected to work."""


class MigrationError(StoreError):
    """The database schema and the migration files do not agree."""
