import pytest

from helios_core.store.lookalikes import similar

IDS = ["20250131T120000-aaaa", "20250131T130000-bbbb", "20250201T120000-cccc", "other"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("20250131", "; similar: 20250131T120000-aaaa, 20250131T130000-bbbb"),
        ("othr", "; similar: other"),
        ("zzz", ""),
        ("", ""),
    ],
)
def test_names_that_begin_alike_or_look_alike_are_named(name, said):
    assert similar(name, IDS) == said


def test_a_name_that_is_given_twice_is_named_once_and_three_at_most():
    assert similar("a", ["ab", "ab", "ac", "ad", "ae"]) == "; similar: ab, ac, ad"
