"""Measures pairs until there is a verdict, or enough pairs, or one of the two variants failed too often."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from edgerig.engine.compare.pair import Pair, Variant
from edgerig.engine.compare.processes import SleptError, VariantError, run_pair
from edgerig.errors import Interrupted, TargetError
from edgerig.measure.comparison import is_look
from edgerig.progress import Progress
from edgerig.targets.base import Target

#: Pairs that may be discarded, after crashes or because the machine slept, before measuring stops.
MOST_LOST = 4
NAMES = ("A", "B")


class PairSeries(msgspec.Struct):
    """The measurements of two variants.

    Attributes:
        pairs: The complete ones.
        started: Number of pairs that were begun. crashes: how many of A's and of B's processes failed in them.
        lost: Why pairs were discarded, in sentences.
        given_up: Whether measuring stopped because too many pairs were discarded.
    """

    pairs: list[Pair] = msgspec.field(default_factory=list)
    started: int = 0
    crashes: list[int] = msgspec.field(default_factory=lambda: [0, 0])
    lost: list[str] = msgspec.field(default_factory=list)
    given_up: bool = False


def measure_pairs(
    target: Target,
    variants: tuple[Variant, Variant],
    most: int,
    stands: Callable[[list[Pair]], bool],
    progress: Progress,
    name: str,
    keep: Callable[[list[Pair]], None] = lambda pairs: None,
) -> PairSeries:
    """Pairs of the two ``variants``, evaluated after the numbers of pairs in `edgerig.measure.comparison.LOOKS`.

    Args:
        most: Largest number of pairs. stands: whether the pairs so far give a verdict; called at each evaluation.
        name: Of the work, for progress. keep: stores the pairs so far; called after each pair.

    Raises:
        Interrupted: Ctrl-C; the pairs so far are kept, and there is no verdict.
        TargetError: The device was lost, or another run holds it.
    """
    series = PairSeries()
    with progress.task(name, most) as task:
        while len(series.pairs) < most and not series.given_up:
            try:
                pair = _next_pair(target, variants, series)
            except KeyboardInterrupt as stop:
                raise Interrupted(
                    f"Stopped in pair {len(series.pairs) + 1} of {name}: there is no verdict.",
                    f"{len(series.pairs)} pairs before it were whole.",
                ) from stop
            if pair is None:
                progress.log(series.lost[-1])
                continue
            series.pairs.append(pair)
            keep(series.pairs)
            task.advance()
            if is_look(len(series.pairs)) and stands(series.pairs):
                break
    return series


def _next_pair(target: Target, variants: tuple[Variant, Variant], series: PairSeries) -> Pair | None:
    """One more pair; None where it was discarded, which is then noted in ``series``."""
    number = series.started
    series.started += 1
    try:
        return run_pair(target, *variants, number)
    except SleptError as error:
        series.lost.append(f"Pair {number + 1} was discarded: {error.message}")
    except VariantError as error:
        who = NAMES[error.second]
        series.crashes[error.second] += error.crashed
        what = "failed" if error.crashed else "told what cannot be"
        series.lost.append(f"Pair {number + 1} was discarded: {who} {what}: {error.message}")
        _still_there(target, number, error)
    series.given_up = len(series.lost) >= MOST_LOST
    return None


def _still_there(target: Target, number: int, error: VariantError) -> None:
    """Raise if the device is gone, which is no fault of the variant that ran there."""
    try:
        target.check()
    except TargetError as gone:
        raise TargetError(
            f"{target.address} went away in pair {number + 1}: {gone.message} There is no verdict.", gone.hint
        ) from error
