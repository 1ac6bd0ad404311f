"""Verdicts on quality out of raw arrays, without a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from edgerig.results.compare.judges import Judged, shared_evidence
from edgerig.results.compare.quality import QualityOptions, verdict_on
from edgerig.results.compare.types import MetricVerdict
from edgerig.tasks.base import Task
from edgerig.tasks.classification import Classification

Arrays = Mapping[str, NDArray[Any]]


def quality_verdict(
    task: Task, name: str, a: Arrays, b: Arrays, *, one_network: bool = False, **options: Any
) -> MetricVerdict | str:
    """B's quality against A's, out of what their bundles store."""
    evidence = shared_evidence((Judged("A", task, a), Judged("B", task, b)))
    if isinstance(evidence, str):
        return evidence
    return verdict_on(name, evidence, QualityOptions(**options), alike=one_network)


def accuracy_verdict(a: Arrays, b: Arrays, margin: float = 0.005, *, one_network: bool = False) -> MetricVerdict:
    """B's accuracy against A's."""
    verdict = quality_verdict(Classification(), "accuracy", a, b, one_network=one_network, margin=margin)
    assert isinstance(verdict, MetricVerdict)
    return verdict
