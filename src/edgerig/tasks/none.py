"""No task: nothing is judged. For speed alone, and for random numbers."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_outputs
from edgerig.tasks.classification import arrays_of, compare
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.samples import LabelledSamples
from edgerig.tasks.tensors import NamedArrays
from edgerig.tasks.windows import mean_over_windows

#: Most values of an output that are kept of a sample: of a larger one, so many at equal steps.
MOST_VALUES = 4096
#: What two answers of several outputs have to share.
BY_LARGEST = "samples whose largest value is at the same place"


class NoTask(Task):
    """Labels mean nothing. Kept of a sample are at most `MOST_VALUES` values of each output, one after another."""

    name: ClassVar[str] = "none"
    summary: ClassVar[str] = "nothing is judged: speed alone, of any network"
    judged: ClassVar[bool] = False
    one_output: ClassVar[bool] = False

    def decode(self, outputs: NamedArrays, judged: int) -> Array:
        parts = [self._values(output) for output in outputs]
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]

    def _values(self, output: Array) -> Array:
        values = output.reshape(len(output), -1).astype(np.float32, copy=False)
        if values.shape[1] <= MOST_VALUES:
            return values
        return values[:, np.linspace(0, values.shape[1] - 1, MOST_VALUES).astype(np.int64)]

    def join(self, predictions: Array, windows: NDArray[np.int64]) -> Array:
        return mean_over_windows(predictions, windows)

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        return Quality(samples=len(samples), warnings=tuple(judge_outputs(kept["scores"], samples)))

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        agreement = compare(kept["scores"], reference.predictions, reference.source, samples, pictures)
        if isinstance(agreement, Unavailable) or kept["scores"].shape[1] == len(self.classes):
            return agreement
        # The place of the largest value is no class.
        return replace(agreement, alike=BY_LARGEST, disagreements=())

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        return arrays_of(kept["scores"], samples)
