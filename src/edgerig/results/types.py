"""Results as typed objects: the content of a bundle, of ``--json``, and of the report."""

from __future__ import annotations

from typing import Any

import msgspec

from edgerig.artifact import Artifact
from edgerig.datasets.input_fit import InputFit
from edgerig.measure.census import Census
from edgerig.measure.firmware import FirmwareReport
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.profile import LayerTime
from edgerig.measure.stats import Distribution
from edgerig.measure.utilisation import Utilisation
from edgerig.results import frame
from edgerig.results.scenario import Offline
from edgerig.results.under_load import UnderLoad
from edgerig.tasks.judgement import Agreement, Quality

#: Version of the bundle's layout and of the JSON documents in it. 2: cells have rounds.
BUNDLE_VERSION = 2
#: Readable versions; a bundle of version 1 measured each cell in one process.
READABLE_VERSIONS = (1, 2)
#: Largest number of rounds of a cell.
MAX_ROUNDS = 1000


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds. With several rounds, each is the median over rounds with the 95 % interval between them.

    Attributes:
        load: From the file on the device to allocated tensors.
        first: The first inference after loading (cold).
        steady: Median of the measured inferences of a round, median of the rounds; `Bundle.round_times` has the raw
            samples.
        distribution: Over the inferences of all rounds. Its ``low`` and ``high`` bound the median of the measured
            processes, not that of the next one: intervals are those of ``steady``, ``mean``, ``p90`` and ``p99``.
        mean, p90, p99: Of a round's inferences, median over the rounds. Unset in bundles from before rounds.
        throughput: Samples per second at the steady median.
        per_sample: The steady median divided by the batch size, where an inference takes several samples.
        transport: Additional time of one sample for the way to the device and back.
        preprocessing, postprocessing: Host time per sample.
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
    mean: Quantity | msgspec.UnsetType = msgspec.UNSET
    p90: Quantity | msgspec.UnsetType = msgspec.UNSET
    p99: Quantity | msgspec.UnsetType = msgspec.UNSET


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One fresh process of a cell; on a board, one fresh deployment. Times are on the device's clock, in seconds.

    Attributes:
        number: From 1, in the order of time.
        started: UTC, ISO 8601. ``seconds``: host time of the round.
        series: Digest of everything that its times depend on: network, engine, device, edgerig's own code. Equal in
            all rounds of a cell.
        load: From the file on the device to allocated tensors.
        first: The first inference of the process (cold).
        steady: Of the measured inferences; its ``low`` and ``high`` bound the median of this process, and say nothing
            about the next. The raw samples are those of `Bundle.round_times`. None where a model computes the times.
        memory: Bytes by name, as in `CellResult`.
        machine, machine_after: The device's state around the round.
        threads: Number of threads of the engine.
        outputs: Digest of the outputs of the first few samples; equal in all rounds of a deterministic engine.
        utilisation: Load, memory, temperature and power of the device over the measured inferences, with the raw
            samples; or why there are none. Unset in bundles from before it was sampled.
        warnings: What makes this round less trustworthy; its interruptions are among them.
    """

    number: int
    started: str
    seconds: float
    series: str
    load: Quantity
    first: Quantity
    steady: Distribution | None
    memory: dict[str, Quantity]
    machine: MachineState
    machine_after: MachineState
    threads: int = 1
    outputs: str = ""
    utilisation: Utilisation | Unavailable | msgspec.UnsetType = msgspec.UNSET
    warnings: tuple[str, ...] = ()


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """How often a cell was measured, and how much its rounds differ.

    Attributes:
        planned: Requested rounds; None for ``rounds: auto``.
        complete: Whether there are as many as requested.
        reason: Why there are this many, in a sentence.
        within: The spread within a round, (p90 - p10) / median; the median over all rounds.
        between: The spread between rounds: standard deviation of their medians / mean of these; None for one round.
        half_width: Half the width of the 95 % interval of the median latency, relative to it; None for one round.
    """

    planned: int | None
    complete: bool
    reason: str
    within: float | None = None
    between: float | None = None
    half_width: float | None = None


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """One measured combination.

    Attributes:
        id: Stable name, such as ``int8-litert-local``.
        model: The name of its model.
        variant: The name of the deployed file: the compiler chain's, such as ``int8``, or the model's own.
        target: The address as in the rig file.
        artifact: The deployed file; ``size`` is its artifact size in bytes.
        memory: Bytes by name: ``peak_rss``, ``rss_before_load``, ``arena`` ...
        layers: Per-operator profile, or why there is none.
        warnings: What makes the cell less trustworthy.
        commands: The commands that repeat it.
        seconds: Host time of the cell.
        interruptions: Interruptions of the pass over the samples; also among the warnings.
        device: A description of the device under test by the target: whose agent it is, who started it.
        input: How the samples fit the integers of the network's input; None where it takes real numbers.
        instructions, cycles: Per inference, where an emulator counted them.
        load_instructions, first_instructions: Of loading, and of the first inference, where an emulator counted them;
            unset in bundles from before it did.
        tick: What ``instructions`` is known to: 1, or the instructions of one tick of the emulator's counter. Unset
            where nothing is counted, and in bundles from before it was told.
        batch: Samples per inference; times of inferences cover that many.
        windows: Fewest and most windows of a sample, each an inference of its own; missing where a sample is not cut.
        rounds: The processes behind the figures, in the order of time; none in a bundle from before rounds, where each
            cell was measured in one process.
        repetition: How often the cell was measured, and how much its rounds differ.
        offline: Batches of samples that are all there, in the scenario of that name; unset where samples come one by
            one.
        under_load: Several requests under way, in the scenarios streams and server; unset in the others.
        census: What of the network really ran where and in which type, as the engine tells it, and what was asked for;
            or why that is not known. Unset in bundles from before it was asked.
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
    load_instructions: Quantity | msgspec.UnsetType = msgspec.UNSET
    first_instructions: Quantity | msgspec.UnsetType = msgspec.UNSET
    tick: float | msgspec.UnsetType = msgspec.UNSET
    firmware: FirmwareReport | msgspec.UnsetType = msgspec.UNSET
    model: str = ""
    input: InputFit | None = None
    batch: int = 1
    windows: tuple[int, int] | msgspec.UnsetType = msgspec.UNSET
    rounds: tuple[Round, ...] = ()
    repetition: Repetition | msgspec.UnsetType = msgspec.UNSET
    offline: Offline | msgspec.UnsetType = msgspec.UNSET
    under_load: UnderLoad | msgspec.UnsetType = msgspec.UNSET
    census: Census | Unavailable | msgspec.UnsetType = msgspec.UNSET

    def __repr__(self) -> str:
        return frame.cell_repr(self)


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The network as a whole; the counts are those of `edgerig inspect` for the float network."""

    name: str
    source: str
    parameters: int | None = None
    macs: int | None = None
    training: dict[str, Any] = {}


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The test data of the cells."""

    name: str
    task: str
    classes: tuple[str, ...]
    test_samples: int
    train_samples: int
    fingerprint: str
    options: dict[str, Any] = {}
    task_options: dict[str, Any] = {}


class VariantSize(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the size table: bytes, times smaller than the original (None for no bytes), the saving as a share."""

    name: str
    bytes: int
    ratio: float | None
    saving: float


class CellFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A cell that could not be measured, and why; ``edgerig run --resume`` tries it again.

    ``round`` is the one that failed, if others were measured before: these are kept, and the cell's result is made
    from them.
    """

    id: str
    error: str
    message: str
    time: str
    round: int = 1


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one run produced; ``results.json`` of a bundle.

    Attributes:
        finished: When the last cell was measured; None for an unfinished run.
        planned: The ids of all cells of the plan, measured or not.
        stages: Stage name to ``"built"`` or ``"cached"``.
        model: The first of ``models``, which has all models of the cells.
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

    def to_dataframe(self) -> Any:
        """A pandas ``DataFrame`` with a row for each cell, in SI units; ``attrs["units"]`` has them by column.

        Columns are named after the fields of `CellResult`: ``latency_steady``, ``memory_peak_rss``, and
        ``quality_accuracy`` for a metric; ``_low``, ``_high``, ``_kind`` and ``_unavailable`` describe each number.

        Raises:
            NotInstalledError: pandas is not installed.
        """
        return frame.to_dataframe(self.cells)

    def __repr__(self) -> str:
        return frame.run_repr(self)

    def _repr_html_(self) -> str:
        return frame.run_html(self)
