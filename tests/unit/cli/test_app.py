import pytest

from helios_core import errors
from helios_core.cli import app as cli

CODES = {
    "HeliosError": 1, "UsageError": 2, "ConfigError": 3, "NotFoundError": 4, "DependencyError": 5,
    "DeadlineError": 6, "GateError": 7, "SafetyError": 8,
}  # fmt: skip
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.HeliosError)
    and kind is not errors.StaleDataError  # which is built from times
]


@pytest.fixture
def ends_with(monkeypatch, capsys):
    """Return a function that runs `main` on a command that raises, and gives code and stderr."""

    def run(error):
        def command():
            raise error

        monkeypatch.setattr(cli, "app", command)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, capsys.readouterr().err

    return run


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_is_one_sentence_and_its_documented_code(ends_with, kind):
    code, said = ends_with(kind("the price is text; write a number"))

    assert code == CODES.get(kind.__name__, 1) == kind.exit_code
    assert said == f"Error: the price is text; write a number (code {code})\n"


def test_no_error_has_the_code_of_success():
    assert all(kind.exit_code != 0 for kind in KINDS)


def test_an_interrupt_has_the_code_of_the_signal(ends_with):
    code, said = ends_with(KeyboardInterrupt())

    assert code == 130
    assert "run the command again" in said


def test_a_defect_is_not_dressed_up_as_a_mistake_of_the_user(monkeypatch):
    def command():
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "app", command)

    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_the_documented_codes_are_those_of_the_errors():
    documented = cli.__doc__.split("Exit codes:")[1]

    for name, code in CODES.items():
        assert f"{code} " in documented, name
