"""The built-in rules are those of VALR's own list, where it has the pair."""

import json
from decimal import Decimal

import pytest

from helios_core.domain.pairs import builtin_rules
from helios_core.simulator.generator import simulated_rules

RULES = {rule.pair: rule for rule in builtin_rules()}


def test_every_pair_is_listed_once():
    assert len(RULES) == len(builtin_rules())


def test_real_pairs_are_as_valr_lists_them(shared_data):
    listed = {
        row["symbol"]: row
        for row in json.loads((shared_data / "valr_pairs.json").read_text())["spot"]
    }
    wrong = [
        pair
        for pair, rule in RULES.items()
        if not rule.simulated
        and (
            (rule.base, rule.quote) != (listed[pair]["base"], listed[pair]["quote"])
            or rule.tick_size != Decimal(listed[pair]["tickSize"])
            or rule.min_quantity != Decimal(listed[pair]["minTradeSize"])
            or rule.tradable != (listed[pair]["status"] == "ACTIVE")
        )
    ]

    assert wrong == []


def test_the_pairs_of_the_research_files_are_known(shared_data):
    manifest = json.loads((shared_data / "manifest.json").read_text())
    files = [row for row in manifest if row["kind"] in {"candles", "trades"}]

    assert {row["pair"].replace("/", "") for row in files} <= RULES.keys()


@pytest.mark.parametrize(
    ("pair", "quote", "price"),
    [
        ("SIMBTCZAR", "ZAR", 1_200_000.0),
        ("SIMETHZAR", "ZAR", 40_000.0),
        ("SIMBTCUSDT", "USDT", 60_000.0),
        ("SIMETHUSDT", "USDT", 3_000.0),
    ],
)
def test_simulated_pairs_have_the_rules_of_the_generator(pair, quote, price):
    assert RULES[pair] == simulated_rules(pair, quote, price)


def test_the_smallest_quantity_can_be_written_with_the_decimals_of_the_base():
    wrong = [
        pair
        for pair, rule in RULES.items()
        if rule.min_quantity % (Decimal(1).scaleb(-rule.base_decimals))
    ]

    assert wrong == []
