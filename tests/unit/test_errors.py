import pickle
import re
from datetime import UTC, datetime, timedelta

import pytest

from helios_core import errors


def every_error() -> list[type[errors.HeliosError]]:
    found = [errors.HeliosError]
    for cls in found:
        found.extend(cls.__subclasses__())
    return [cls for cls in found if cls.__module__ == errors.__name__]


@pytest.mark.parametrize("cls", every_error())
def test_an_error_survives_the_way_between_two_processes(cls):
    """Prefect pickles exceptions between processes; the oracle is the text before."""
    arguments = ("BTCZAR is not known",)
    if cls is errors.StaleDataError:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        arguments = ("BTCZAR", now, now + timedelta(hours=1), timedelta(minutes=5))
    error = cls(*arguments)
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy)) == (cls, str(error))


def test_the_tree_in_the_docstring_names_every_error_with_its_exit_code():
    drawn = re.findall(r"(\w+Error) +(\d) ", errors.__doc__)

    assert {name: int(code) for name, code in drawn} == {
        cls.__name__: cls.exit_code for cls in every_error()
    }
