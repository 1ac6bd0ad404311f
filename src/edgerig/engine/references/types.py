"""What came of running a float network, for the cells that are compared with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Reference


class ReferenceRun(msgspec.Struct, frozen=True):
    """What came of running a float network, for the cells that are compared with it.

    Attributes:
        reference: What it predicts for the test samples, or why that is not known.
        identity: A digest of which network that is, and of ``choice``.
        choice: What the task chose by its predictions for the validation split, see `Task.choose`.
        noise: What its predictions move by when the inputs do by rounding, where that is known.
    """

    reference: Reference | Unavailable
    identity: str = ""
    choice: Mapping[str, float] = {}
    noise: float | None = None

    @property
    def predictions(self) -> NDArray[Any] | None:
        """What it predicts, shape (n, ...), where that is known."""
        return None if isinstance(self.reference, Unavailable) else self.reference.predictions

    def of_part(self, positions: NDArray[np.int64]) -> ReferenceRun:
        """The same for some of the samples."""
        if isinstance(self.reference, Unavailable):
            return self
        some = Reference(self.reference.source, self.reference.predictions[positions])
        return msgspec.structs.replace(self, reference=some)
