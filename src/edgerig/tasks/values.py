"""Metric objects, computed and stored as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgerig.tasks.judgement import MetricValue
from edgerig.tasks.metrics import Metric


def values_of(metrics: Sequence[Metric], *evidence: Any) -> tuple[MetricValue, ...]:
    """The values of new ``metrics`` after one ``update(*evidence)``.

    Those that are not defined are left out, such as the AUC when all samples are of one class.
    """
    values = []
    for metric in metrics:
        metric.update(*evidence)
        value = metric.compute()
        if value is None or not math.isfinite(value):
            continue
        low, high = metric.interval() or (None, None)
        values.append(
            MetricValue(
                name=metric.name,
                value=value,
                higher_is_better=metric.higher_is_better,
                unit=metric.unit,
                low=low,
                high=high,
            )
        )
    return tuple(values)
