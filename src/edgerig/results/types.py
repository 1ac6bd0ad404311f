"""Results as typed objects: what a bundle holds, what ``--json`` prints, what the report shows."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.artifact import Artifact
from edgerig.datasets.input_fit import InputFit
from edgerig.measure.firmware import FirmwareReport
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.profile import LayerTime
from edgerig.measure.stats import Distribution

#: Version of the bundle's layout and of the JSON documents in it.
BUNDLE_VERSION = 1


class MetricValue(msgspec.Struct, frozen=True, kw_only=True):
    """One judged quality: a share of 1 where ``unit`` is ``"1"``."""

    name: str
    value: float
    higher_is_better: bool
    unit: str = "1"
    low: float | None = None
    high: float | None = None


class ClassQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Quality of one class; ``support`` counts its samples."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good the predictions are. ``confusion[i][j]`` counts samples of class i predicted as j.

    ``warnings`` say what speaks against the figures: inputs that were clamped, answers that are guesses.
    ``output`` is the output that is judged, where the network has several; ``others`` are the rest, with the types of
    those that cannot be judged.
    """

    samples: int
    metrics: tuple[MetricValue, ...] = ()
    classes: tuple[ClassQuality, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    warnings: tuple[str, ...] = ()
    output: str | None = None
    others: tuple[str, ...] = ()


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """A sample whose prediction differs from the reference's. ``index`` is its place in the test split."""

    index: int
    label: int
    reference: int
    predicted: int
    picture: str | None = None
    """A PNG of the raw sample, base64."""


class Agreement(msgspec.Struct, frozen=True, kw_only=True, tag="agreement", tag_field="is"):
    """Sample-by-sample comparison with the reference predictions of the float model it came from.

    There is none where it would say nothing, see `edgerig.engine.caveats`.
    """

    reference: str
    samples: int
    same_class: float
    max_abs_error: float
    mean_abs_error: float
    disagreements: tuple[Disagreement, ...] = ()
    warnings: tuple[str, ...] = ()


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds.

    Attributes:
        load: From the file on the device to allocated tensors.
        first: The first inference after loading (cold).
        steady: Median of the measured inferences; ``distribution`` says more; the raw samples lie in
            ``cells/<id>/samples.npz`` (``times_ns``).
        throughput: Samples a second at the steady median.
        per_sample: The steady median shared among the samples of a batch, where an inference takes several.
        transport: What one sample's way to the device and back adds.
        preprocessing, postprocessing: Host time a sample.
    """

    load: Quantity
    first: Quantity
    steady: Quantity
    distribution: Distribution | None
    throughput: Quantity
    transport: Quantity
    preprocessing: Quantity
    postprocessing: Quantity
    per_sample: Quantity | msgspec.UnsetType = msgspec.UNSET


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """One measured combination.

    Attributes:
        id: Stable name, such as ``int8-litert-local``.
        model: The name of the model that it is of.
        variant: The name of what was deployed: the compiler chain's, such as ``int8``, or the model's own.
        target: The address as the rig file names it.
        artifact: What was deployed; ``size`` is its artifact size in bytes.
        memory: Bytes by name: ``peak_rss``, ``rss_before_load``, ``arena`` ...
        layers: Per-operator profile, or why there is none.
        warnings: What makes the cell less trustworthy.
        commands: The commands that repeat it.
        seconds: Host time that the cell took.
        interruptions: What interrupted the pass over the samples; also among the warnings.
        device: What is under test, in words of the target: whose agent it is, who started it.
        input: How the samples fit the integers of the network's input; None where it takes real numbers.
        instructions, cycles: Of one inference, where an emulator counted them.
        batch: Samples that one inference takes; times of inferences are of so many.
        firmware: What the network is built into, where this machine built it: flash and RAM by symbol, build flags.
    """

    id: str
    variant: str
    runtime: str
    runtime_version: str
    target: str
    options: dict[str, Any]
    artifact: Artifact
    quality: Quality
    agreement: Agreement | Unavailable
    latency: Latency
    memory: dict[str, Quantity]
    layers: tuple[LayerTime, ...] | Unavailable
    machine: MachineState
    machine_after: MachineState
    warnings: tuple[str, ...]
    commands: tuple[str, ...]
    started: str
    seconds: float
    measured_samples: int
    warmup: int
    clock: str
    method: str
    interruptions: tuple[str, ...] = ()
    device: str = ""
    instructions: Quantity | msgspec.UnsetType = msgspec.UNSET
    cycles: Quantity | msgspec.UnsetType = msgspec.UNSET
    firmware: FirmwareReport | msgspec.UnsetType = msgspec.UNSET
    model: str = ""
    input: InputFit | None = None
    batch: int = 1


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The network as a whole; counts as `edgerig inspect` gives them, of the float network."""

    name: str
    source: str
    parameters: int | None = None
    macs: int | None = None
    training: dict[str, Any] = {}


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The data that judged the cells."""

    name: str
    task: str
    classes: tuple[str, ...]
    test_samples: int
    train_samples: int
    fingerprint: str
    options: dict[str, Any] = {}


class VariantSize(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the size table: bytes, times smaller than the original (None for no bytes), the saving as a share."""

    name: str
    bytes: int
    ratio: float | None
    saving: float


class CellFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that could not be measured, and why; ``edgerig run --resume`` tries it again."""

    id: str
    error: str
    message: str
    time: str


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one run produced; ``results.json`` of a bundle.

    Attributes:
        finished: When the last cell was measured; None for what there is of an unfinished run.
        planned: The ids of all cells of the plan, measured or not.
        stages: Stage name to ``"built"`` or ``"cached"``.
        model: The first of ``models``, which holds all that the cells are of.
    """

    name: str
    version: int
    edgerig: str
    created: str
    finished: str | None
    model: ModelInfo
    dataset: DatasetInfo
    host: MachineState
    cells: tuple[CellResult, ...]
    sizes: tuple[VariantSize, ...] = ()
    warnings: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    interruptions: tuple[str, ...] = ()
    stages: dict[str, str] = {}
    failures: tuple[CellFailure, ...] = ()
    planned: tuple[str, ...] = ()
    models: tuple[ModelInfo, ...] = ()
