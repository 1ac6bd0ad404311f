"""The cells of a report, compared two at a time on the samples that both ran: each pair once, whoever asks for it.

The tables of qualities ask, and the words of a recommendation, mostly for the same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, TypeAlias

from numpy.typing import NDArray

from edgerig.report.load import Loaded
from edgerig.report.model import Variant
from edgerig.results.bundle import Bundle
from edgerig.results.compare.quality import QualityOptions, quality_verdicts
from edgerig.results.compare.shared_samples import Answers, Paired, answers_of, compare_with
from edgerig.results.compare.types import MetricVerdict
from edgerig.results.reading import MAX_SAMPLES
from edgerig.results.types import CellResult
from edgerig.tensors import ORIGINAL_SCHEMES

#: Samples, each as often as its cost, that are compared for a report: more take seconds, and `edgerig compare` tells.
MOST = 50_000

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Verdicts: TypeAlias = "tuple[dict[str, MetricVerdict], list[str]]"


class Comparisons:
    """Comparisons between the cells of a report, which are named by the anchors of their sections.

    Attributes:
        cells: Each cell, after the bundle that holds it, by its anchor.
        answers: The labelled predictions of those that classify and are stored with their samples, by anchor.
    """

    def __init__(
        self, cells: Sequence[tuple[int, CellResult]], bundles: Sequence[Loaded], anchors: Sequence[str]
    ) -> None:
        self.cells = {anchor: (bundles[number], cell) for (number, cell), anchor in zip(cells, anchors, strict=True)}
        answers = {anchor: _answers(anchor, bundle, cell) for anchor, (bundle, cell) in self.cells.items()}
        self.answers = {anchor: known for anchor, known in answers.items() if known is not None}
        # Of two cells' samples the baseline's stay while the other's make room for the next one's.
        self._read = lru_cache(maxsize=2)(self.samples)
        self._accuracies: dict[tuple[str, str], Paired | None] = {}
        self._verdicts: dict[tuple[str, str], Verdicts] = {}

    def accuracy(self, anchor: str, baseline: str) -> Paired | None:
        """A cell's right and wrong answers against a baseline's; None where the two share none that are known."""
        key = (anchor, baseline)
        if key not in self._accuracies:
            sides = [self.answers.get(name) for name in key]
            known = [answers for answers in sides if answers is not None]
            rows = compare_with(known[:1], known[1]) if len(known) == 2 else ()
            self._accuracies[key] = rows[0] if rows else None
        return self._accuracies[key]

    def verdicts(self, anchor: str, baseline: str) -> Verdicts:
        """The verdicts on a cell's qualities against a baseline's, by the metric; and notes, see `quality_verdicts`."""
        key = (anchor, baseline)
        if key not in self._verdicts:
            (before, base), (loaded, cell) = self.cells[baseline], self.cells[anchor]
            arrays = partial(self._read, baseline), partial(self._read, anchor)
            runs = before.result, loaded.result
            self._verdicts[key] = quality_verdicts(runs, (base, cell), arrays, QualityOptions(most=MOST))
        return self._verdicts[key]

    def samples(self, anchor: str) -> Arrays:
        """What the bundle stores of a cell's samples: large, and so read when it is compared.

        Raises:
            StorageError: That cannot be read.
        """
        bundle, cell = self.cells[anchor]
        return Bundle(bundle.path).samples(cell.id, limit=MAX_SAMPLES)


def _answers(anchor: str, bundle: Loaded, cell: CellResult) -> Answers | None:
    samples = bundle.samples.get(cell.id)
    return None if samples is None or not cell.quality.metrics else answers_of(anchor, samples)


def baseline_of(members: Sequence[Variant]) -> Variant:
    """What the others are compared with: the first of them whose numbers nobody has shortened, or else the first."""
    return next((variant for variant in members if variant.scheme in ORIGINAL_SCHEMES), members[0])
