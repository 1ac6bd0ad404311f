"""The values of two networks for the same samples: whether they can be compared, and how far they are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Array, Reference
from edgerig.tasks.caveats import why_incomparable
from edgerig.tasks.judgement import Agreement
from edgerig.tasks.samples import LabelledSamples
from edgerig.views import View

Floats = NDArray[np.float64]


def differences(
    values: Array, reference: Reference, samples: LabelledSamples, noun: str = "sample"
) -> Floats | Unavailable:
    """``|v - r|`` of each value, shape (n, values), or why there is no comparison.

    Args:
        values: Of this network, shape (n, values). reference: The float model's for the same samples.
        samples: The samples; ``noun``: what each of them is, for messages.
    """
    other = reference.predictions
    if values.shape != other.shape:
        return Unavailable(f"the reference gives {other.shape[1:]} values a {noun}, this one {values.shape[1:]}")
    reason = why_incomparable(values, other, samples)
    if reason:
        return Unavailable(reason)
    return np.asarray(np.abs(values.astype(np.float64) - other))


def agreement_of(
    difference: Floats,
    reference: Reference,
    same: NDArray[np.bool_],
    alike: str,
    *,
    one_unit: bool = True,
    views: Sequence[View] = (),
) -> Agreement:
    """The agreement of two networks.

    Args:
        difference: From `differences`. reference: What the network is compared with.
        same: Which samples count as alike, shape (n,); ``alike`` says by what.
        one_unit: Whether all values have one unit: a maximum over years and metres would mean nothing.
        views: What is shown of it.
    """
    largest, mean = (float(difference.max()), float(difference.mean())) if one_unit else (None, None)
    return Agreement(
        reference=reference.source,
        samples=len(difference),
        same_class=float(same.mean()),
        max_abs_error=largest,
        mean_abs_error=mean,
        alike=alike,
        views=tuple(views),
    )
