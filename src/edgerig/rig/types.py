"""The rig file as typed objects, after names were looked up and settings converted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from edgerig.artifact import Layout
from edgerig.compilers.steps import PLUS
from edgerig.plugins import Settings
from edgerig.results.gate.limits import Limit
from edgerig.results.types import MAX_ROUNDS
from edgerig.rig.load import MAX_STREAMS, check_rate, load_problems, parse_seconds

#: Fewest rounds of `rounds: auto`: an interval over fewer says little.
FEWEST_ROUNDS = 5
#: Largest number of repeated inferences of a cell, in all of its rounds: enough for any statistics.
MOST_INFERENCES = 100_000

Described = msgspec.Meta


def _share(value: float | str) -> float:
    """A share of 1 from ``0.02``, ``"0.02"`` or ``"2 %"``.

    Raises:
        ValueError: It is no share between 0 and 1.
    """
    text = str(value).strip()
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise ValueError(f"width: {text[:40]!r} is no share of the latency, such as 0.02 or 2 %") from None
    if not 0 < share < float("inf"):
        raise ValueError(f"width: {text[:40]!r} is not above 0")
    if share >= 1:
        raise ValueError(f"width: {text[:40]!r} is as wide as the latency itself; two percent are 0.02 or 2 %")
    return share


def _batch_problems(scenario: str, batch: int | None, samples: int | None) -> list[str]:
    """Why a scenario and its batch do not go together; empty if they do."""
    problems = []
    if scenario == "offline" and batch is None:
        problems.append("scenario: offline takes samples in batches: say how many, such as batch: 8")
    if scenario != "offline" and batch is not None:
        problems.append(f"batch: {batch} is of the scenario offline; {scenario} takes one sample after another")
    elif batch is not None and samples is not None and batch > samples:
        problems.append(f"batch: {batch:,} is larger than the {samples:,} samples that are run")
    return problems


class Part(msgspec.Struct, frozen=True):
    """A plugin by name with its settings as plain values; ``name`` is the user's name for it, if any."""

    use: str
    options: dict[str, Any] = {}
    name: str | None = None

    @property
    def steps(self) -> tuple[Part, ...]:
        """Itself, as the only step of a chain of compilers."""
        return (self,)

    @property
    def label(self) -> str:
        """The user's name, or the plugin's with every setting given, such as ``litert-threads4``."""
        if self.name:
            return self.name
        given = [f"{key.replace('_', '-')}{_short(value)}" for key, value in sorted(self.options.items())]
        return "-".join([self.use, *given])


class CompilerChain(msgspec.Struct, frozen=True):
    """Compilers of which each takes what the one before it made; ``name`` is the user's name for them, if any."""

    steps: tuple[Part, ...]
    name: str | None = None

    @property
    def label(self) -> str:
        """The user's name, or those of the compilers with the settings given, such as ``prune-share0.8+int8``."""
        return self.name or PLUS.join(step.label for step in self.steps)


class Ends(Settings, frozen=True, kw_only=True):
    """Declarations about a model's inputs and outputs that its file lacks."""

    layout: Annotated[
        Layout | None,
        Described(
            description="order of an image's axes in the input: nchw (channels first, as PyTorch has it) or nhwc; by "
            "default it follows from the shape"
        ),
    ] = None
    output: Annotated[
        str | None, Described(description="name of the output that is judged, where there are several")
    ] = None
    shapes: Annotated[
        dict[str, Annotated[tuple[Annotated[int, Described(ge=1)], ...], Described(min_length=1)]],
        Described(description="shapes of inputs by name, batch included, for axes that an ONNX file leaves free"),
    ] = msgspec.field(default_factory=dict)
    state: Annotated[
        dict[str, str],
        Described(
            description="state that the network hands out and takes again: for each input that is an output of the "
            "inference before, that output's name; 0 where a sequence begins"
        ),
    ] = msgspec.field(default_factory=dict)


class ModelPart(msgspec.Struct, frozen=True):
    """Either a registered model (``use``) that is trained, or a file that the user brings.

    ``options`` are the settings of the registered model, or of the file's format.
    ``reference`` is the float model file that predictions are compared with; by default the model itself. ``name`` is
    the base name of its variants, if the user gave one or the file's own name is not unique. ``format`` is the plugin
    that reads the file, where it is not installed.
    """

    use: str | None = None
    file: str | None = None
    options: dict[str, Any] = {}
    train: dict[str, Any] = {}
    reference: str | None = None
    name: str | None = None
    ends: Ends = Ends()
    format: str | None = None

    @property
    def label(self) -> str:
        """The user's name, else the registered model's, else the file's without its suffix."""
        return self.name or self.use or (self.file or "").rsplit("/", 1)[-1].rsplit(".", 1)[0]


class Measure(Settings, frozen=True, kw_only=True):
    """How to measure each cell."""

    checks: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        "width": _share,
        "latency_bound": lambda bound: parse_seconds(bound, "latency_bound"),
        "rate": check_rate,
    }

    samples: Annotated[
        Annotated[int, Described(ge=1)] | None, Described(description="test samples to run in each cell; all if null")
    ] = 1000
    scenario: Annotated[
        Literal["single-stream", "offline", "streams", "server"],
        Described(
            description="how samples come: single-stream, one by one; offline, all at once, taken in batches of "
            "`batch`; streams, one by one on each of `streams` sessions; server, at random times (Poisson), at `rate` "
            "or at the highest rate that holds `latency_bound`"
        ),
    ] = "single-stream"
    batch: Annotated[
        Annotated[int, Described(ge=1)] | None,
        Described(
            description="with `scenario: offline`, samples of a batch; a network whose batch cannot be set runs them "
            "in turn"
        ),
    ] = None
    streams: Annotated[
        Annotated[int, Described(ge=1, le=MAX_STREAMS)] | None,
        Described(
            description="with `scenario: streams` or `server`, sessions on the device, each a process of its own; "
            "server has 1 by default"
        ),
    ] = None
    rate: Annotated[
        float | None,
        Described(description="with `scenario: server`, requests a second; the highest that holds the bound if null"),
    ] = None
    latency_bound: Annotated[
        float | str | None,
        Described(description="with `scenario: server`, the longest latency with its unit: 50 ms, 0.05 s"),
    ] = None
    percentile: Annotated[
        float, Described(description="percentile of the latency that is held against `latency_bound`", ge=50, lt=100)
    ] = 99.0
    load_seconds: Annotated[
        float,
        Described(
            description="with `scenario: streams` or `server`, seconds under load of a round, and of each rate that is "
            "tried; longer where the percentile needs more requests",
            gt=0,
            le=3600,
        ),
    ] = 3.0
    arrival_seed: Annotated[
        int, Described(description="with `scenario: server`, seed of the random arrivals", ge=0)
    ] = 0
    warmup: Annotated[int, Described(description="inferences before the measured ones", ge=0)] = 20
    rounds: Annotated[
        Annotated[int, Described(ge=1, le=MAX_ROUNDS)] | Literal["auto"],
        Described(
            description="fresh processes (on a board: fresh deployments) that measure each cell, in turns with the "
            "other cells; intervals are made between them; auto: as many as `width` takes"
        ),
    ] = 5
    width: Annotated[
        float | str,
        Described(
            description="with `rounds: auto`, go on until half the 95 % interval of the median latency is within this "
            "share of it: 0.02 or 2 %"
        ),
    ] = 0.02
    time_limit: Annotated[
        float,
        Described(description="with `rounds: auto`, seconds after which no further round of a cell is begun", ge=0),
    ] = 60.0
    seconds: Annotated[
        float,
        Described(
            description="seconds of inference that the rounds of a cell measure together, by running samples over and "
            "over; the host waits five times as long at most",
            ge=0,
        ),
    ] = 1.0
    profile: Annotated[bool, Described(description="take a per-operator profile, in a pass of its own")] = True
    profile_samples: Annotated[int, Described(description="inferences of the profiling pass", ge=1)] = 50
    transport_samples: Annotated[
        int, Described(description="single round trips that measure the transport; 0 for none", ge=0)
    ] = 50
    utilisation: Annotated[
        bool,
        Described(
            description="have the device sample its load, memory, clock, temperature and power between inferences; it "
            "takes at most 1 % of the time"
        ),
    ] = True
    patience: Annotated[
        float, Described(description="seconds to wait for a device that went away in mid-run; 0 for not at all", ge=0)
    ] = 30.0
    layer_errors: Annotated[
        float,
        Described(
            description="seconds of this machine for the errors of each quantized cell's layers against the float "
            "network, on at most 32 samples, after all rounds; 0 for none (`edgerig layers RUN --errors` has them too)",
            ge=0,
        ),
    ] = 0.0
    pictures: Annotated[int, Described(description="pictures of disagreements kept for the report, a cell", ge=0)] = 12

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "width", _share(self.width))
        if isinstance(self.latency_bound, str):
            msgspec.structs.force_setattr(self, "latency_bound", parse_seconds(self.latency_bound, "latency_bound"))
        problems = _batch_problems(self.scenario, self.batch, self.samples)
        problems += load_problems(self.scenario, self.streams, self.rate, self.latency_bound)
        if problems:
            raise ValueError("; ".join(problems))

    @property
    def bound_seconds(self) -> float | None:
        """``latency_bound`` in seconds."""
        assert not isinstance(self.latency_bound, str)
        return self.latency_bound

    @property
    def wanted_width(self) -> float:
        """``width`` as a share."""
        assert isinstance(self.width, float)
        return self.width

    @property
    def planned_rounds(self) -> int | None:
        """The number of rounds of a cell; None for ``auto``."""
        return self.rounds if isinstance(self.rounds, int) else None

    @property
    def round_seconds(self) -> float:
        """Seconds of inference that a round measures: its share of ``seconds``."""
        return self.seconds / self._sharing

    @property
    def round_inferences(self) -> int:
        """Most inferences that a round measures by running samples again: its share of `MOST_INFERENCES`."""
        return max(1, MOST_INFERENCES // self._sharing)

    @property
    def _sharing(self) -> int:
        """Number of rounds that share what a cell measures; of ``auto`` at least so many are measured."""
        return self.planned_rounds or FEWEST_ROUNDS


class Block(msgspec.Struct, frozen=True):
    """A full matrix: every compiler, or chain of them, with every runtime on every target, for each of ``models`` by
    name, or all.

    ``samples``: number of test samples of these cells, where that of `Measure.samples` is too large.
    """

    compilers: tuple[Part | CompilerChain, ...]
    runtimes: tuple[Part, ...]
    targets: tuple[Part, ...]
    samples: int | None = None
    models: tuple[str, ...] = ()


class Rig(msgspec.Struct, frozen=True):
    """A rig file; the labels of ``models`` are unique.

    ``gate`` are its limits, None where it has none of its own; ``task`` judges instead of the dataset's own.
    """

    name: str
    models: tuple[ModelPart, ...]
    dataset: Part
    matrix: tuple[Block, ...]
    measure: Measure = Measure()
    gate: tuple[Limit, ...] | None = None
    task: Part | None = None

    @property
    def model(self) -> ModelPart:
        """The first model, or the only one."""
        return self.models[0]


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "" if value else "-off"
    text = "".join(c if c.isalnum() or c in ".-" else "-" for c in str(value))
    return text.strip("-")[:40]
