"""Cells whose devices told their power, with known energies, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from tests.results.conftest import make_measured

from edgerig.measure.utilisation import Utilisation
from edgerig.results.types import CellResult

#: Inferences of each round.
INFERENCES = 100


def powered(joules: Sequence[float], rail: str = "VDD_IN", **changes: Any) -> tuple[CellResult, dict[str, Any]]:
    """A cell with a round for each of ``joules``, which an inference takes; a second rail takes half of it."""
    cell, arrays = make_measured([100e-6 * (1 + 0.001 * number) for number in range(len(joules))])
    rounds = tuple(
        replace(
            entry,
            utilisation=Utilisation(
                seconds=(0.0, 0.1, 0.2, 0.3, 0.4),
                series=(),
                inferences=INFERENCES,
                joules={rail: each * INFERENCES, "VDD_CPU": each * INFERENCES / 2},
            ),
        )
        for entry, each in zip(cell.rounds, joules, strict=True)
    )
    return replace(cell, rounds=rounds, **changes), arrays
