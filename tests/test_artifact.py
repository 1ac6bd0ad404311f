"""What an artifact's record says, and what comes of a record that somebody else has written."""

from __future__ import annotations

from typing import Any

import pytest

from edgerig.artifact import ZERO_WEIGHTS, Origin
from edgerig.compilers.zeros import share_before


@pytest.mark.parametrize(
    ("record", "shares"),
    [([0.25, 0.5], (0.25, 0.5)), ([0, 1], (0.0, 1.0)), (None, None), ("half", None), ([0.5], None), ([0.1, "x"], None)],
)
def test_shares_of_zeros_are_two_numbers_or_unknown(record: Any, shares: tuple[float, float] | None) -> None:
    origin = Origin("prune", {ZERO_WEIGHTS: record})
    assert origin.zero_weights == shares
    assert share_before([origin]) == (None if shares is None else shares[1])


def test_the_last_count_of_zeros_is_the_one_before_the_next_compiler() -> None:
    pruned, quantized = Origin("prune", {"sparsity": 0.5}), Origin("int8", {ZERO_WEIGHTS: [0.5, 0.625]})
    assert share_before([pruned]) == 0.5
    assert share_before([pruned, quantized, Origin("mixed")]) == 0.625
    assert share_before([Origin("int8"), Origin("prune", {"sparsity": "much"})]) is None
