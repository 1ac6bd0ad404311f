"""No task: nothing is judged. For speed alone, and for random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_outputs
from edgerig.tasks.classification import arrays_of, compare
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.samples import LabelledSamples

#: Most values of an output that are kept of a sample: of a larger one, so many at equal steps.
MOST_VALUES = 4096


class NoTask(Task):
    """Labels mean nothing. Kept are values of the output, at most `MOST_VALUES` a sample."""

    name: ClassVar[str] = "none"
    summary: ClassVar[str] = "nothing is judged: speed alone, of any network"
    judged: ClassVar[bool] = False

    def decode(self, outputs: Sequence[Array], judged: int) -> Array:
        values = super().decode(outputs, judged)
        if values.shape[1] <= MOST_VALUES:
            return values
        return values[:, np.linspace(0, values.shape[1] - 1, MOST_VALUES).astype(np.int64)]

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        return Quality(samples=len(samples), warnings=tuple(judge_outputs(kept["scores"], samples)))

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        return compare(kept["scores"], reference.predictions, reference.source, samples, pictures)

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        return arrays_of(kept["scores"], samples)
