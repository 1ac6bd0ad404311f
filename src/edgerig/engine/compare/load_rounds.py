"""Two networks under one load in turns: pairs of rounds, each on fresh sessions of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig import files
from edgerig.engine.load.measure import UnderLoadRound, measure_load
from edgerig.engine.rounds.context import CellContext
from edgerig.errors import EdgerigError, Interrupted, LeaseError
from edgerig.measure.comparison import LOOKS
from edgerig.measure.pauses import SleepWatch
from edgerig.progress import Progress
from edgerig.results.under_load import LoadRound

#: Pairs after which it is looked for a verdict. Each takes twice the seconds of a load, a search of a rate many times.
LOAD_LOOKS = LOOKS[:3]
#: Pairs that may be discarded before measuring stops.
MOST_LOST = 2


class LoadPairs(msgspec.Struct):
    """Rounds of two networks under one load, in pairs.

    Attributes:
        rounds: Of the first and of the second, as many of either. clock: the device's.
        lost: Why pairs were discarded, in sentences.
    """

    rounds: tuple[list[LoadRound], list[LoadRound]] = msgspec.field(default_factory=lambda: ([], []))
    clock: str = ""
    lost: list[str] = msgspec.field(default_factory=list)


def measure_load_pairs(
    contexts: tuple[CellContext, CellContext], path: Path, stands: Callable[[LoadPairs], bool], progress: Progress
) -> LoadPairs:
    """Rounds of the two cells in turns, A B, B A ..; after each pair all raw times go to ``path``.

    Both rounds of a pair have the same arrivals.

    Args:
        contexts: Of one device and one load. stands: Whether the pairs so far give a verdict.

    Raises:
        Interrupted: Ctrl-C; there is no verdict then.
        LeaseError: Another run holds the device.
    """
    pairs, arrays, name = LoadPairs(), dict[str, Any](), f"{contexts[0].cell.id} under load, in pairs"
    with progress.task(name, LOAD_LOOKS[-1]) as task:
        while len(pairs.rounds[0]) < LOAD_LOOKS[-1] and len(pairs.lost) < MOST_LOST:
            number = len(pairs.rounds[0]) + 1
            try:
                first, second = _pair(contexts, number)
            except KeyboardInterrupt as stop:
                raise Interrupted(
                    f"Stopped in pair {number} of {name}: there is no verdict.",
                    f"{number - 1} pairs before it were whole.",
                ) from stop
            except (Interrupted, LeaseError):
                raise
            except EdgerigError as error:
                pairs.lost.append(f"A pair under load was discarded: {error.message}")
                progress.log(pairs.lost[-1])
                continue
            for entries, measured, side in zip(pairs.rounds, (first, second), "ab", strict=True):
                entries.append(measured.round)
                arrays |= {f"{side}{number}_{key}": times for key, times in measured.arrays.items()}
            pairs.clock = first.clock
            with files.atomic_path(path) as temporary:
                np.savez_compressed(temporary, **arrays)
            task.advance()
            if number in LOAD_LOOKS and stands(pairs):
                break
    return pairs


def _pair(contexts: tuple[CellContext, CellContext], number: int) -> tuple[UnderLoadRound, UnderLoadRound]:
    """One round of either; odd pairs begin with the first.

    Raises:
        EdgerigError: A round failed, or this machine slept meanwhile.
    """
    watch, measured = SleepWatch(), dict[int, UnderLoadRound]()
    for side in (0, 1) if number % 2 else (1, 0):
        entry = measure_load(contexts[side], None, number)
        assert entry is not None, "the scenario has a load"
        measured[side] = entry
    if (slept := watch.slept()) is not None:
        raise EdgerigError(slept)
    return measured[0], measured[1]
