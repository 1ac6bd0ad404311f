"""The one model of the report. HTML, Markdown and JSON show this and nothing else."""

from __future__ import annotations

import msgspec

from edgerig.measure.firmware import ArenaBuffer
from edgerig.measure.kinds import Kind
from edgerig.report.tables import Table
from edgerig.report.values import Change, Fact, Figure, NamedFigure
from edgerig.views import Curve, View

#: Version of the report's JSON document.
REPORT_VERSION = 2


class Metric(msgspec.Struct, frozen=True):
    """A quality metric."""

    name: str
    figure: Figure
    higher_is_better: bool


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One operator; ``share`` of the sum over all operators, where its time is known.

    ``instructions`` is None where they are not counted.
    """

    index: int
    name: str
    op: str
    time: Figure
    share: float | None
    shape: str
    instructions: Figure | None = None


class OperatorTime(msgspec.Struct, frozen=True):
    """The sum over all operators of one type."""

    op: str
    count: int
    seconds: float
    share: float


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """The per-operator profile, or the reason why there is none; ``warnings`` apply to all its numbers."""

    rows: tuple[Layer, ...] = ()
    operators: tuple[OperatorTime, ...] = ()
    total: Figure | None = None
    reason: str | None = None
    note: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def shapes(self) -> bool:
        """Whether the engine reported the shape of any output."""
        return any(row.shape for row in self.rows)


class AgreementView(msgspec.Struct, frozen=True, kw_only=True):
    """Sample-by-sample comparison with the float model; ``what`` is said of the share ``same``, ``errors`` last."""

    reference: str
    samples: int
    same: Figure
    what: str
    max_abs_error: float | None
    mean_abs_error: float | None
    note: str
    errors: str = ""
    views: tuple[View, ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Raw latency samples in measurement order: ``positions`` (from 0) and ``seconds``, equally long."""

    n: int
    positions: tuple[int, ...]
    seconds: tuple[float, ...]
    note: str


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """``counts`` of samples between neighbouring ``edges`` in seconds; ``above`` lie beyond the last edge, ``below``
    before the first."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    above: int
    below: int = 0


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """The data of the latency charts. ``ecdf`` are seconds at equally spaced shares from 0 to 1."""

    histogram: Histogram
    ecdf: tuple[float, ...]
    series: Series


class OriginRow(msgspec.Struct, frozen=True):
    """One step in the creation of an artifact."""

    tool: str
    options: str
    parent: str
    versions: str
    seconds: str


class SizeShare(msgspec.Struct, frozen=True):
    """A part or a symbol of a firmware; ``place`` is ``flash`` or ``ram``, ``share`` that of all there is."""

    name: str
    place: str
    bytes: int
    share: float
    group: str = ""


class FirmwareView(msgspec.Struct, frozen=True, kw_only=True):
    """The firmware that a network was built into: totals, parts and largest symbols, and what it was built with.

    ``notes`` compare the planned arena with the plain sum of all tensors, and the used stack with the available one;
    ``warnings`` apply to all its sizes; ``arena`` is the plan of the network's arena, buffer by buffer.
    """

    board: str
    totals: tuple[SizeShare, ...]
    parts: tuple[SizeShare, ...]
    symbols: tuple[SizeShare, ...]
    build: tuple[Fact, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    arena: tuple[ArenaBuffer, ...] = ()


class PlacementRow(msgspec.Struct, frozen=True, kw_only=True):
    """Operators of one type that the same thing ran in the same type of numbers; ``share`` is of all operators."""

    op: str
    placement: str
    dtype: str
    count: int
    share: float


class PlacementView(msgspec.Struct, frozen=True, kw_only=True):
    """What ran where, or the ``reason`` why that is not known; ``warnings`` tell what was asked for and not met."""

    rows: tuple[PlacementRow, ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()
    reason: str | None = None


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One measured cell. ``anchor`` is unique in the report; ``bundle`` indexes `Report.bundles`; ``place`` is
    the label without the variant's name; ``views`` show its quality."""

    anchor: str
    label: str
    short: str
    bundle: int
    id: str
    variant: str
    place: str
    runtime: str
    target: str
    device: str
    scheme: str
    options: str
    kind: Kind | None
    samples: int
    metric: str
    quality: Figure
    same: Figure
    steady: Figure
    p90: Figure
    p99: Figure
    throughput: Figure
    size: Figure
    peak_rss: Figure
    arena: Figure
    stages: tuple[NamedFigure, ...]
    spread: tuple[Fact, ...]
    times: Times | None
    times_reason: str
    memory: tuple[NamedFigure, ...]
    energy: Figure
    metrics: tuple[Metric, ...]
    views: tuple[View, ...]
    layers: Layers
    agreement: AgreementView | None
    agreement_reason: str
    machine: tuple[Change, ...]
    measurement: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    warnings: tuple[str, ...]
    commands: tuple[str, ...]
    artifact: tuple[Fact, ...]
    origins: tuple[OriginRow, ...]
    preprocessing: tuple[Fact, ...]
    instructions: Figure | None = None
    cycles: Figure | None = None
    firmware: FirmwareView | None = None
    rounds: Curve | None = None
    utilisation: tuple[View, ...] = ()
    utilisation_notes: tuple[str, ...] = ()
    placement: PlacementView = PlacementView(reason="it was not asked")


class SizeRow(msgspec.Struct, frozen=True):
    """One row of the size table; without ``ratio`` where the size is 0."""

    name: str
    bytes: int
    size: Figure
    ratio: float | None
    saving: float


class Failure(msgspec.Struct, frozen=True):
    """A cell that could not be measured, and why."""

    id: str
    error: str
    message: str
    time: str

    @property
    def is_long(self) -> bool:
        """Whether the message is longer than a sentence and its hint: a table, whose lines must be kept."""
        return len(self.message.splitlines()) > 2

    @property
    def summary(self) -> str:
        """The class of the error and its message; the first line of a long one."""
        return f"{self.error}: {self.message.splitlines()[0] if self.is_long else self.message}"


class BundleView(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its models, dataset and devices, and its times."""

    index: int
    name: str
    path: str
    finished: bool
    created: str
    seconds: float
    edgerig: str
    model: tuple[Fact, ...]
    dataset: tuple[Fact, ...]
    device: tuple[Fact, ...]
    run: tuple[Fact, ...]
    host: tuple[Fact, ...]
    sizes: tuple[SizeRow, ...]
    warnings: tuple[str, ...]
    commands: tuple[str, ...]
    interruptions: tuple[str, ...]
    failures: tuple[Failure, ...]
    stages: tuple[Fact, ...]


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """The recommendation that follows from the numbers.

    Attributes:
        sentences: One for each group of comparable variants (same data, same device, same kind of number).
        reasons: Supporting numbers and limitations.
        chosen: Anchors of the recommended variants.
        fronts: For each group, anchors of the variants on its Pareto front of quality, latency and size.
        firm: False where there is no recommendation, or the data support only a provisional one.
    """

    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    chosen: tuple[str, ...]
    fronts: tuple[tuple[str, ...], ...]
    firm: bool


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The same combination in several bundles; a figure for each bundle, None where it has no such cell."""

    label: str
    anchors: tuple[str | None, ...]
    quality: tuple[Figure | None, ...]
    steady: tuple[Figure | None, ...]
    size: tuple[Figure | None, ...]
    change: str


class SharedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A variant's accuracy on the ``samples`` that the baseline ran, too: errors of both, those that only the variant
    (``lost``) and that only the baseline (``gained``) makes, and p of McNemar's test; ``different`` below 5 %."""

    anchor: str
    label: str
    samples: int
    quality: Figure
    errors: int
    baseline_errors: int
    lost: int
    gained: int
    p: float
    different: bool
    verdict: str


class SharedView(msgspec.Struct, frozen=True, kw_only=True):
    """Variants of one dataset, each compared with ``baseline`` on the samples that both ran, whose number is from
    ``fewest`` to ``most``."""

    dataset: str
    fewest: int
    most: int
    note: str
    baseline: str
    rows: tuple[SharedRow, ...]


class QualityRow(msgspec.Struct, frozen=True, kw_only=True):
    """A variant's main metric, which is no accuracy, and its change against the baseline on the ``samples`` that both
    ran; ``change`` is None where there is none, and ``verdict`` then says why."""

    anchor: str
    label: str
    samples: int
    quality: Figure
    change: Figure | None = None
    margin: str = ""
    verdict: str
    worse: bool = False


class QualityView(msgspec.Struct, frozen=True, kw_only=True):
    """Variants of one dataset by one metric, each compared with ``baseline``."""

    dataset: str
    metric: str
    baseline: str
    rows: tuple[QualityRow, ...]


class LayersView(msgspec.Struct, frozen=True):
    """The layers of all variants that were made from one network: numbers in one row are of the same layer."""

    anchors: tuple[str, ...]
    table: Table


class Unlayered(msgspec.Struct, frozen=True):
    """A variant whose layers stand in no table, and why."""

    anchor: str
    label: str
    reason: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All content of the report. ``table`` is the table of variants, one row each; ``layers`` are compared in tables
    of their own, one for each network that variants were made from."""

    version: int
    title: str
    edgerig: str
    finished: bool
    bundles: tuple[BundleView, ...]
    variants: tuple[Variant, ...]
    recommendation: Recommendation
    compared: tuple[Compared, ...]
    kinds: tuple[Kind, ...]
    notes: tuple[str, ...]
    table: Table
    shared: tuple[SharedView, ...] = ()
    qualities: tuple[QualityView, ...] = ()
    layers: tuple[LayersView, ...] = ()
    unlayered: tuple[Unlayered, ...] = ()

    @property
    def mixed(self) -> bool:
        """Whether the report has numbers of more than one kind."""
        return len(self.kinds) > 1
