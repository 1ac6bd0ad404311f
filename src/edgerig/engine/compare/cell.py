"""Paired comparison of one cell: A against itself first, then A against B; raw times are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig import files
from edgerig.artifact import Artifact
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.compare.pair import Pair, Variant
from edgerig.engine.compare.series import PairSeries, measure_pairs
from edgerig.engine.compare.verdicts import CHECK_PAIRS, self_check, stands, time_verdicts
from edgerig.engine.prepare import dataset_of
from edgerig.engine.rounds.offline import at_batch
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.measure.comparison import LOOKS, MARGIN
from edgerig.measure.judge import judge_machine
from edgerig.progress import Progress
from edgerig.results.compare.failures import failure_verdict
from edgerig.results.compare.quality import QualityOptions
from edgerig.results.compare.types import MetricVerdict, SelfCheck
from edgerig.rig.plan import Cell, Plan
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for

#: Number of inputs that the chunks of a pair run repeatedly.
INPUTS = 64


class LiveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to compare live.

    Attributes:
        margin: Relative difference of latency that does not matter. quality: How qualities are compared.
        pairs: Largest number of pairs. check: whether A is compared with itself first.
    """

    margin: float = MARGIN
    quality: QualityOptions = QualityOptions()
    pairs: int = LOOKS[-1]
    check: bool = True


class CellPairs(msgspec.Struct, frozen=True):
    """The outcome of the pairs of one cell.

    Attributes:
        refused: Why there can be no verdict on times; None where there can.
        notes: Remarks about the machine.
    """

    series: PairSeries
    check: SelfCheck | None
    refused: str | None
    notes: tuple[str, ...] = ()

    def metrics(self, margin: float) -> dict[str, MetricVerdict]:
        """Verdicts on times, memory of the processes, and failures, by name."""
        verdicts = time_verdicts(self.series, margin, self.refused)
        first, second = self.series.crashes
        return verdicts | {"failures": failure_verdict(first, second, self.series.started)}


def measure_cell_pairs(
    cell: Cell,
    variants: tuple[Variant, Variant],
    path: Path,
    options: LiveOptions,
    progress: Progress,
    refused: str | None = None,
) -> CellPairs:
    """A against itself, then pairs of A and B, on the cell's device; after each pair all raw times go to ``path``.

    Args:
        refused: Why no comparison is possible, if that is known already: nothing is measured then.

    Raises:
        Interrupted, TargetError: See `measure_pairs`.
    """
    if refused is not None:
        return CellPairs(PairSeries(), None, refused)
    target = target_for(cell.target.use, cell.target.options)
    target.log = progress.log
    check = None
    try:
        notes = tuple(judge_machine(target.check()))
        if options.check:
            check, refused = _check_itself(target, variants[0], options, progress)
            if check is not None:
                progress.log(check.sentence)
        if refused is not None:
            return CellPairs(PairSeries(), check, refused, notes)
        return CellPairs(_pairs(target, variants, path, options, progress), check, None, notes)
    finally:
        target.close()


def variant_of(label: str, plan: Plan, cell: Cell, artifact: Artifact, batch: int | None = None) -> Variant:
    """The network of a cell with inputs converted to its own dtype.

    Args:
        batch: Samples of an inference, where these are not the file's own.
    """
    runtime = cell.runtime
    if batch is not None:
        artifact, runtime = at_batch(artifact, runtime, batch)
    dataset = dataset_of(plan.rig)
    tests = EvaluationSamples(dataset, plan.rig.measure.samples)
    _, inputs = next(tests.chunks(artifact))
    network = inputs_of(artifact)
    calls = network.calls(network.quantized(rows(inputs, 0, INPUTS * network.batch)))
    return Variant(label, artifact, runtime, tuple(calls))


def _check_itself(
    target: Target, a: Variant, options: LiveOptions, progress: Progress
) -> tuple[SelfCheck | None, str | None]:
    """A against itself; and the reason, where it shows that no comparison is possible."""
    series = measure_pairs(target, (a, a), CHECK_PAIRS, lambda _: True, progress, f"{a.label} against itself")
    check = self_check(series, options.margin)
    if check is None:
        why = series.lost[-1] if series.lost else "the clock is too coarse for this network"
        return None, f"A cannot be compared with itself: {why}"
    return check, None if check.passed else check.sentence


def _pairs(
    target: Target, variants: tuple[Variant, Variant], path: Path, options: LiveOptions, progress: Progress
) -> PairSeries:
    name = f"{variants[0].label} against {variants[1].label}"
    return measure_pairs(
        target,
        variants,
        options.pairs,
        lambda pairs: stands(pairs, options.margin),
        progress,
        name,
        lambda pairs: _keep(pairs, path),
    )


def _keep(pairs: list[Pair], path: Path) -> None:
    """Store all raw times so far: ``a0``, ``b0`` .. of shape (chunks, inferences), in ns."""
    arrays: dict[str, Any] = {}
    for number, pair in enumerate(pairs):
        for name, run in (("a", pair.first), ("b", pair.second)):
            arrays[f"{name}{number}"] = np.stack(run.chunks)
    with files.atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)
