"""The content of a comparison: a verdict for each metric, with the data behind it."""

from __future__ import annotations

from typing import Literal

import msgspec

from edgerig.measure.kinds import Kind

#: Version of the JSON document of a comparison.
COMPARISON_VERSION = 1
#: Times are ``slower`` or ``faster``, all else is ``worse`` or ``better``; ``same`` is within the margin, and
#: ``inconclusive`` is no pass. Each is about B, relative to A.
Verdict = Literal["slower", "faster", "worse", "better", "same", "inconclusive"]
#: Verdicts that say that B is worse than A.
WORSE = frozenset({"slower", "worse"})


class MetricVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of B against A's.

    Attributes:
        verdict: On B, relative to A.
        sentence: The verdict in words, with its numbers; or why there is none.
        a, b: The two values, in ``unit``; None where one is missing.
        unit: SI, as of measurements; ``"1"`` for a share.
        change: The meaning of ``value``, ``low`` and ``high``: ``ratio`` for B / A, ``difference`` for B - A.
        value: The change; None where there is none. low, high: its bounds, equal to it for exact figures. Bounds
            without a value are of a change that is known only to lie within them.
        margin: The change that does not matter: a share of 1 for ratios, in ``unit`` for differences.
        count: Number of pairs, rounds or samples behind it; 0 for exact figures.
        higher_is_better: Whether a larger B is better than A, as of rates and shares of right answers.
        kind: The kind of these numbers.
        method: How the verdict was computed.
        quality: Whether it is a metric of what the network answers, as its task judges that.
    """

    verdict: Verdict
    sentence: str
    a: float | None
    b: float | None
    unit: str
    change: Literal["ratio", "difference"] = "ratio"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float = 0.0
    count: int = 0
    higher_is_better: bool = False
    kind: Kind = "measured"
    method: str = ""
    quality: bool = False


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a comparison: its source and cell, and the conditions of its numbers."""

    source: str
    cell: str
    artifact: str
    sha256: str
    size: int
    runtime: str
    runtime_version: str
    target: str
    device: str
    processor: str
    clock: str
    dataset: str
    edgerig: str
    rounds: int = 1

    @property
    def label(self) -> str:
        """Source and cell for people; only the source where that names a cell itself."""
        return self.source if "#" in self.source or "/cells/" in self.source else f"{self.source}#{self.cell}"


class SelfCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A against itself, before any comparison: the resolution of this machine now.

    Attributes:
        sentence: The result in words.
        passed: Whether no difference between A and itself was found.
        tells: Whether a slowdown of ``asked`` can be detected by the last evaluation.
        pairs: Number of pairs of A against A. ratio, low, high: of them.
        smallest: The slowdown, a share of 1, that the last evaluation detects in more than 90 % of comparisons.
    """

    sentence: str
    passed: bool
    tells: bool
    asked: float
    pairs: int
    ratio: float
    low: float
    high: float
    smallest: float


class CellComparison(msgspec.Struct, frozen=True, kw_only=True):
    """B against A, metric by metric.

    Attributes:
        metrics: By name: ``latency``, ``p50``, ``p99``, ``accuracy``, ``size`` ... A quality that bears the name of
            another number, such as ``rate``, begins with ``quality_``.
        pairs: Number of pairs of fresh processes that were measured; 0 for a comparison of stored rounds.
        self_check: That of a live comparison of times; else None.
        notes: What was discarded, what differs between the two, what makes numbers less trustworthy.
        seconds: Host time of the pairs.
    """

    a: Side
    b: Side
    metrics: dict[str, MetricVerdict]
    pairs: int = 0
    self_check: SelfCheck | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def quality(self, name: str) -> MetricVerdict | None:
        """The verdict on the quality of that name; None where it has none."""
        verdicts = (self.metrics.get(key) for key in (name, f"quality_{name}"))
        return next((verdict for verdict in verdicts if verdict is not None and verdict.quality), None)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The document that ``edgerig compare --json`` prints.

    Attributes:
        method: ``live`` where pairs were measured for it, ``stored`` where rounds of bundles were used.
        comparisons: One for each pair of cells. only_a, only_b: cells without a counterpart.
        commands: The commands that repeat it.
    """

    version: int
    edgerig: str
    created: str
    method: Literal["live", "stored"]
    comparisons: tuple[CellComparison, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
