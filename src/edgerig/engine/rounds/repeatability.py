"""Whether an engine gives the same answer to the same samples, and if not, how far its answers lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.batches import rows
from edgerig.targets.base import Session

Array = NDArray[Any]
#: How many samples are run again at most, how often each, and the seconds that this may take.
SAMPLES, TIMES, SECONDS = 4, 3, 1.0


def unlike_answers(session: Session, inputs: Sequence[Array], seconds: float) -> str | None:
    """What is said of an engine that answers the same samples differently within one process; None where it does not.

    Args:
        session: Of a network that keeps no state. inputs: Samples as it takes them, each (n, ...).
        seconds: What an inference takes; of a slow network fewer samples are run.
    """
    few = rows(inputs, 0, max(1, min(SAMPLES, int(SECONDS / max(seconds * TIMES, 1e-9)))))
    runs = [session.run(few).outputs for _ in range(TIMES)]
    spread = spread_of(runs)
    if spread is None:
        return None
    largest, share = spread
    return (
        f"The engine changes its answer from run to run: {len(few[0])} samples that were run {TIMES} times gave "
        f"outputs up to {largest:.3g} apart, {share:.1%} of their range. The quality is that of one run."
    )


def spread_of(runs: Sequence[Sequence[Array]]) -> tuple[float, float] | None:
    """The largest difference between runs of the same samples, and its share of the range of that output's values.

    Args:
        runs: The outputs of each run. Outputs whose shape differs from run to run lie as far apart as can be told: by
            their whole range.

    Returns:
        None where all runs gave the same. Not a number counts as equal to itself.

    >>> spread_of([[np.array([0.0, 10.0])], [np.array([1.0, 10.0])]])
    (1.0, 0.1)
    """
    worst: tuple[float, float] | None = None
    for outputs in zip(*runs, strict=True):
        values = [np.asarray(output, np.float64) for output in outputs]
        span = max(float(np.ptp(value[np.isfinite(value)])) if np.isfinite(value).any() else 0.0 for value in values)
        largest = 0.0
        for value in values[1:]:
            if value.shape != values[0].shape:
                largest = span or 1.0
            elif not np.array_equal(value, values[0], equal_nan=True):
                gaps = np.abs(value - values[0])
                largest = max(largest, float(gaps[np.isfinite(gaps)].max(initial=0.0)) or span)
        if largest and (worst is None or largest > worst[0]):
            worst = largest, largest / span if span else 1.0
    return worst
