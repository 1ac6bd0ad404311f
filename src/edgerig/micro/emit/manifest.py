"""What is written beside the generated C: inputs and outputs, memory plan, layers, constants, sources, options."""

from __future__ import annotations

import msgspec

from edgerig.artifact import TensorSpec

#: The name by which a folder of ours is known.
FORMAT = "edgerig-c"


class KernelRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel that was asked to run a layer and refused, and why."""

    kernel: str
    reason: str


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer function.

    Attributes:
        index: Its place in ``model_layers``.
        name: The operator's name in the file.
        op: Its operator, fused ones joined by ``+``.
        position: Index of its first operator in the file.
        kernel: What runs it.
        macs: Multiply-accumulates, padding counted as data.
        inputs: Shapes of the activations it reads.
        outputs: Shapes of what it makes.
        constant_bytes: Bytes of its constants in flash.
        scratch_bytes: Bytes of arena that only it uses.
        refusals: Of the better kernels of its data type, the best first.
    """

    index: int
    name: str
    op: str
    position: int
    kernel: str
    macs: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    constant_bytes: int
    scratch_bytes: int
    refusals: tuple[KernelRefusal, ...] = ()


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A buffer in the arena: what it holds, where, and the first and last layer that need it."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


class MemoryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The arena in bytes.

    Attributes:
        arena: What the plan takes; state, inputs, outputs and scratch memory included.
        lower_bound: No plan of the same buffers takes less.
        plain_sum: Inputs, state and all activations of the unfused network, each in memory of its own.
        method: The order that gave the plan.
        inputs: Where each input lies in the arena.
        outputs: Where each output lies; -1 for one that is known when compiling.
        pieces: The plan.
    """

    arena: int
    lower_bound: int
    plain_sum: int
    method: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    pieces: tuple[Placed, ...]


class ConstantEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An array of weights.c: its C name, bytes, and the tensors whose content it carries."""

    name: str
    bytes: int
    tensors: tuple[str, ...]


class SourceFile(msgspec.Struct, frozen=True, kw_only=True):
    """A generated file."""

    path: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Describes generated C completely.

    Attributes:
        format: `FORMAT`.
        version: Version of edgerig that made it.
        name: Prefix of all C names.
        source: The file that was compiled.
        source_sha256: Its hash.
        source_bytes: Its size.
        cpu: The CPU that it is made for.
        optimize: speed or size.
        features: What that CPU can do.
        faster: Where it can do nothing that kernels ask for, CPUs whose kernels would run some of these layers.
        inputs: As the network has them.
        outputs: As the network has them.
        macs: Multiply-accumulates of one inference.
        constant_bytes: All constants in flash.
        parameter_bytes: Weights and biases as the source file holds them.
        memory: The arena.
        layers: In the order in which they run.
        constants: In the order of weights.c.
        files: All generated files but the manifest.
        notes: What is worth knowing.
    """

    format: str
    version: str
    name: str
    source: str
    source_sha256: str
    source_bytes: int
    cpu: str
    optimize: str
    features: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    macs: int
    constant_bytes: int
    parameter_bytes: int
    memory: MemoryPlan
    layers: tuple[Layer, ...]
    constants: tuple[ConstantEntry, ...]
    files: tuple[SourceFile, ...]
    notes: tuple[str, ...] = ()
    faster: tuple[str, ...] = ()
