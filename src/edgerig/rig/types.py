"""The rig file as typed objects, after names were looked up and settings converted."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from edgerig.artifact import Layout
from edgerig.plugins import Settings
from edgerig.results.gate.limits import Limit

Described = msgspec.Meta


class Part(msgspec.Struct, frozen=True):
    """A plugin by name with its settings as plain values; ``name`` is what the user calls it, if anything."""

    use: str
    options: dict[str, Any] = {}
    name: str | None = None

    @property
    def label(self) -> str:
        """The user's name, or the plugin's with every setting given, such as ``litert-threads4``."""
        if self.name:
            return self.name
        given = [f"{key.replace('_', '-')}{_short(value)}" for key, value in sorted(self.options.items())]
        return "-".join([self.use, *given])


class Ends(Settings, frozen=True, kw_only=True):
    """What a model's file does not say of its inputs and outputs."""

    layout: Annotated[
        Layout | None,
        Described(
            description="order of an image's axes in the input: nchw (channels first, as PyTorch has it) or nhwc; by "
            "default it follows from the shape"
        ),
    ] = None
    output: Annotated[
        str | None, Described(description="name of the output that is judged, where there are several; the first one")
    ] = None
    shapes: Annotated[
        dict[str, Annotated[tuple[Annotated[int, Described(ge=1)], ...], Described(min_length=1)]],
        Described(description="shapes of inputs by name, batch included, for axes that an ONNX file leaves free"),
    ] = msgspec.field(default_factory=dict)


class ModelPart(msgspec.Struct, frozen=True):
    """Either a registered model (``use``) that is trained, or a file that the user brings.

    ``reference`` is the float model file that predictions are compared with; by default the model itself. ``name`` is
    what its variants are called by, if the user gave one or the file's own name is not enough to tell it from others.
    """

    use: str | None = None
    file: str | None = None
    options: dict[str, Any] = {}
    train: dict[str, Any] = {}
    reference: str | None = None
    name: str | None = None
    ends: Ends = Ends()

    @property
    def label(self) -> str:
        """The user's name, else the registered model's, else the file's without its suffix."""
        return self.name or self.use or (self.file or "").rsplit("/", 1)[-1].rsplit(".", 1)[0]


class Measure(Settings, frozen=True, kw_only=True):
    """How to measure each cell."""

    samples: Annotated[
        Annotated[int, Described(ge=1)] | None, Described(description="test samples to run in each cell; all if null")
    ] = 1000
    warmup: Annotated[int, Described(description="inferences before the measured ones", ge=0)] = 20
    seconds: Annotated[
        float,
        Described(
            description="run the samples over and over until the measured inferences took so long, or the host waited "
            "five times as long",
            ge=0,
        ),
    ] = 1.0
    profile: Annotated[bool, Described(description="take a per-operator profile, in a pass of its own")] = True
    profile_samples: Annotated[int, Described(description="inferences of the profiling pass", ge=1)] = 50
    transport_samples: Annotated[
        int, Described(description="single round trips that measure the transport; 0 for none", ge=0)
    ] = 50
    patience: Annotated[
        float, Described(description="seconds to wait for a device that went away in mid-run; 0 for not at all", ge=0)
    ] = 30.0
    pictures: Annotated[int, Described(description="pictures of disagreements kept for the report, a cell", ge=0)] = 12


class Block(msgspec.Struct, frozen=True):
    """A full matrix: every compiler with every runtime on every target, for each of ``models`` by name, or all.

    ``samples``: test samples of these cells, out of those of `Measure.samples`, where that is too many.
    """

    compilers: tuple[Part, ...]
    runtimes: tuple[Part, ...]
    targets: tuple[Part, ...]
    samples: int | None = None
    models: tuple[str, ...] = ()


class Rig(msgspec.Struct, frozen=True):
    """A rig file; the labels of ``models`` are unique. ``gate``: its limits, None where it has none of its own."""

    name: str
    models: tuple[ModelPart, ...]
    dataset: Part
    matrix: tuple[Block, ...]
    measure: Measure = Measure()
    gate: tuple[Limit, ...] | None = None

    @property
    def model(self) -> ModelPart:
        """The first model, or the only one."""
        return self.models[0]


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "" if value else "-off"
    text = "".join(c if c.isalnum() or c in ".-" else "-" for c in str(value))
    return text.strip("-")[:40]
