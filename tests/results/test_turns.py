import pytest

from edgerig.results.turns import took_turns


@pytest.mark.parametrize(
    ("first", "second", "paired"),
    [
        ("ad", "bc", True),
        ("adeh", "bcfg", True),
        ("ab", "cd", False),
        ("ace", "bdg", True),
        ("acd", "bef", False),
        ("abc", "ab", False),
        ("a", "z", True),
        ("", "", False),
        ("aa", "aa", True),
    ],
)
def test_rounds_are_paired_where_neither_cell_ran_ahead(first: str, second: str, paired: bool) -> None:
    """Letters are the times at which rounds began."""
    assert took_turns(list(first), list(second)) == paired
    assert took_turns(list(second), list(first)) == paired
