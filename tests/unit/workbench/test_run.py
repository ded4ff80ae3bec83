"""Outside of any run: what is displayed, and that nothing but displaying happens."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from helios_core.errors import NotebookError
from helios_core.workbench import run as workbench
from helios_core.workbench.results import CycleSummary, RiskResult, TourResult
from helios_core.workbench.run import Banner, banner, emit, show, show_each

AT = datetime(2025, 1, 31, 12, tzinfo=UTC)
TOUR = TourResult(
    verdict="flat <b>&</b>",
    simulated=True,
    candles=20_000,
    features=72,
    sigma_minute=0.000612345678,
    weight=0.0,
    orders=0,
    figures={"candles": "somewhere.png"},
)


@pytest.fixture(autouse=True)
def no_run(monkeypatch):
    """No engine, and no interactive run that an earlier test has opened."""
    for name in ("HELIOS_RUN_ID", "HELIOS_RUN_NONCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(workbench._kernel, "run", None)


class Words(HTMLParser):
    """The texts of a page, each with the tag that it stands in."""

    def __init__(self, page):
        super().__init__()
        self.found, self._tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._tags.append(tag)

    def handle_endtag(self, tag):
        assert self._tags.pop() == tag

    def handle_data(self, data):
        self.found.append((self._tags[-1], data))


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Banner("paper", simulated=False), "PAPER"),
        (Banner("live", simulated=False), "LIVE"),
        (Banner("backtest", simulated=False, note="2 fills"), "BACKTEST | 2 fills"),
        (Banner("paper", simulated=True), "PAPER | SIMULATED market"),
        (Banner("paper", simulated=True, note="flat"), "PAPER | SIMULATED market | flat"),
    ],
)
def test_a_banner_says_the_mode_and_whether_the_market_is_generated(shown, text):
    assert str(shown) == repr(shown) == text


def test_a_banner_as_html_has_a_label_for_each_word_and_escapes_them():
    page = Banner("paper", simulated=True, note='a <script>alert("x")</script> & b')._repr_html_()

    assert Words(page).found == [
        ("span", "PAPER"),
        ("span", "SIMULATED market: says nothing about a real one"),
        ("span", 'a <script>alert("x")</script> & b'),
    ]


def test_paper_live_and_simulated_never_look_alike():
    pages = [Banner(mode, simulated=False)._repr_html_() for mode in ("paper", "live", "backtest")]
    pages.append(Banner("paper", simulated=True)._repr_html_().split("</span>")[1])
    colors = [re.search(r"background:(#\w+)", page).group(1) for page in pages]

    assert len(set(colors)) == 4


def test_a_banner_is_displayed(capsys):
    banner("paper", simulated=True, note="flat")

    assert capsys.readouterr().out == "PAPER | SIMULATED market | flat\n"


def test_emit_outside_of_a_run_only_displays(capsys, monkeypatch):
    monkeypatch.setattr(workbench, "open_store", lambda *_: pytest.fail("the store was opened"))
    emit(TOUR)
    emit(TOUR)  # nothing was closed, so nothing refuses it

    assert capsys.readouterr().out.count("flat <b>&</b>") == 2


@pytest.mark.parametrize("thing", [None, 7, {"verdict": "flat"}, "flat"])
def test_emit_takes_a_typed_result_only(thing):
    with pytest.raises(NotebookError, match=rf"emit takes one of .* found {type(thing).__name__}"):
        emit(thing)


def test_the_displayed_result_has_a_line_for_each_field_and_short_numbers(capsys):
    emit(TOUR)
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())

    assert lines == {
        "verdict": "flat <b>&</b>",
        "simulated": "True",
        "data_as_of": "-",
        "candles": "20000",
        "features": "72",
        "sigma_minute": "0.000612346",
        "weight": "0",
        "orders": "0",
    }


def test_lists_and_mappings_of_a_result_are_one_cell_each(capsys):
    emit(
        RiskResult(
            verdict="x", simulated=False, as_of=AT, sigma={"A": 0.001, "B": None},
            method={"A": "garch", "B": "ewma"}, size={}, binding={},
        )
    )  # fmt: skip
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())

    assert lines["sigma"] == "A: 0.001, B: -"
    assert lines["method"] == "A: garch, B: ewma"
    assert lines["size"] == "-"
    assert lines["as_of"] == "2025-01-31T12:00:00Z"


def test_a_result_as_html_is_a_table_with_escaped_cells():
    words = Words(workbench._table(TOUR)._repr_html_()).found

    assert words[:2] == [("th", "verdict"), ("td", "flat <b>&</b>")]
    assert ("td", "0.000612346") in words


def test_a_number_of_money_keeps_its_cents(capsys):
    emit(
        CycleSummary(
            verdict="x", simulated=True, decision_id="d", as_of=AT, mode="paper", book="main-sim",
            pairs=["A"], model_id=None, forced=False, replayed=False, weights={}, orders=[],
            fills=0, skips=[], equity_before=1_234_567.89, equity_after=100_000.0,
        )
    )  # fmt: skip
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())

    assert lines["equity_before"] == "1234567.89"
    assert lines["equity_after"] == "100000.00"


@pytest.fixture
def line():
    """A figure that belongs to nobody's global state."""
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2, 1])
    return figure


def test_a_figure_outside_of_a_run_is_displayed_and_kept_nowhere(capsys, line, tmp_path):
    show(line, "curve")

    assert "Image" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_one_figure_is_drawn_for_each_pair(capsys, line):
    drawn = []
    show_each(lambda content: drawn.append(content) or line, {"A": 1, "B": 2}, "curve")

    assert drawn == [1, 2]
    assert capsys.readouterr().out.count("Image") == 2
