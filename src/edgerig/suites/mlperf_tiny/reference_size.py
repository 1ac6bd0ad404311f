"""Whether a network is as large as the reference network of its benchmark, as the closed division asks."""

from __future__ import annotations

from pathlib import Path

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.errors import EdgerigError
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.expectations import mismatch
from edgerig.models.graph.read import read_graph


def differs_from_reference(benchmark: Benchmark, path: Path) -> str | None:
    """How the network in ``path`` differs from the reference network, in a sentence; None where it does not, or where
    the operators of its format cannot be read."""
    try:
        analysis = analyse(read_graph(path))
    except EdgerigError:
        return None
    if mismatch("macs", benchmark.macs, analysis) is None:
        return None
    return (
        f"{path.name} has {analysis.macs:,} MACs and {analysis.parameters:,} parameters, and the reference network of "
        f"{benchmark.name} {benchmark.macs:,} and {benchmark.parameters:,}: its speed and energy are not those of the "
        "closed division."
    )
