"""From an artifact to a network in C, for one board."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import files, formats
from edgerig.artifact import Artifact, TensorSpec
from edgerig.boards.board import Board
from edgerig.boards.firmware import BuildSettings, Network
from edgerig.bounded import isolated
from edgerig.cache import StageCache
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.c_source import CSource
from edgerig.errors import CompileError, IncompatibleError, ModelError
from edgerig.measure.firmware import ArenaBuffer
from edgerig.micro import CPUS, Manifest, Options, Source, compile_model
from edgerig.micro.emit.source import MANIFEST
from edgerig.plugins import find
from edgerig.wire.digits.messages import OUTPUTS, PIXELS

#: The prefix of all names in the generated C, as the firmware expects it.
PREFIX = "model"
#: Width and height of the bundled digits.
_DIGIT = 28
#: Bytes of flash that are left to code, and to samples that are built in; the network's constants have the rest.
_CODE = 96 << 10
#: Processor features, of those in `CPUS`, that kernels require.
_FLOAT = frozenset({"fpu", "fpv5", "mve"})
_ARM = frozenset({"thumb1", "thumb2", "dsp", "mve"}) | _FLOAT
_NEEDED = _ARM | {"rv32m", "simd"}
_FEATURES = {
    "cortex-m0plus": frozenset({"thumb1"}),
    "cortex-m3": frozenset({"thumb1", "thumb2"}),
    "cortex-m4": _ARM - {"mve", "fpv5"},
    "cortex-m7": _ARM - {"mve"},
    "cortex-m33": _ARM - {"mve"},
    "cortex-m55": _ARM,
    "rv32imc": frozenset({"rv32m"}),
}


def network_of(artifact: Artifact, board: Board, settings: BuildSettings) -> Network:
    """The network of a TFLite file, or trees of an ONNX file, as C, in a folder of the cache, with a sample built in.

    Raises:
        IncompatibleError: It is no file of these.
        ModelError, CompileError: It is not sound, or uses what the compiler does not know.
        UnknownNameError: `settings.kernels` is no CPU of the compiler.
    """
    if artifact.format not in CSource.takes:
        suffixes = [suffix for name in sorted(CSource.takes) for suffix in formats.named(name).suffixes]
        raise IncompatibleError(f"Boards run {', '.join(suffixes)} files, not {artifact.format}.", _way_to_c(artifact))
    cpu = settings.kernels or kernels_of(board, settings)
    length = board.memory.flash.length
    source = _compiled(artifact, Options(cpu=cpu, optimize=settings.optimize, flash=max(length - _CODE, length // 2)))
    key = files.digest({name: files.sha256(data) for name, data in source.files.items()})[:32]
    folder, _ = StageCache(files.cache_folder() / "firmware" / "sources").get_or_build(key, source.write)
    return network_in(folder, source.manifest)


def _compiled(artifact: Artifact, options: Options) -> Source:
    """As C within the board's flash; where nothing fits, as small as can be, and the linker says what is too much."""
    file = Path(artifact.path).name

    def compiled(options: Options) -> Source:
        return isolated(f"Compiling {file}", CompileError, compile_model, artifact.read(), PREFIX, options, file)

    try:
        return compiled(options)
    except CompileError:
        return compiled(msgspec.structs.replace(options, flash=None, optimize="size"))


def kernels_of(board: Board, settings: BuildSettings) -> str:
    """The CPU that kernels are chosen for if the settings name none: without FPU if the firmware is built without."""
    without = f"{board.kernels}+nofp"
    return without if board.fpu and not settings.fpu and without in CPUS else board.kernels


def check_kernels(board: Board, network: Network, settings: BuildSettings) -> None:
    """Check that the processor, as configured for the firmware, has the features that the network's kernels need.

    Raises:
        IncompatibleError: It cannot.
    """
    has = _FEATURES[board.cpu] - (frozenset() if board.fpu and settings.fpu else _FLOAT)
    lacks = CPUS.get(network.kernels, frozenset()) & _NEEDED - has
    if not lacks:
        return
    without = " without its FPU" if board.fpu and not settings.fpu else ""
    raise IncompatibleError(
        f"Kernels for {network.kernels} do not run on {board.title}{without}: it lacks {', '.join(sorted(lacks))}.",
        f"This board's are those for {kernels_of(board, settings)}; portable ones run everywhere.",
    )


def network_in(folder: Path, manifest: Manifest | None = None) -> Network:
    """The network in a folder that ``edgerig compile --to c`` wrote with the prefix ``model``.

    Raises:
        ModelError: It is no such folder. IncompatibleError: The prefix is another.
    """
    if manifest is None:
        try:
            manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        except (OSError, msgspec.MsgspecError) as error:
            raise ModelError(f"{folder} holds no network in C: {error}.", "edgerig compile MODEL --to c") from error
    if manifest.name != PREFIX:
        raise IncompatibleError(
            f"The network in {folder} has the prefix {manifest.name!r}; the firmware calls {PREFIX!r}.",
            f"Compile it with the prefix {PREFIX}: edgerig compile MODEL --to c --name {PREFIX}",
        )
    tensors = (*manifest.inputs, *manifest.outputs)
    sample, name = built_in_sample(manifest.inputs)
    return Network(
        # The C compiler runs in another folder, so paths are absolute.
        folder=str(folder.resolve()),
        sha256=manifest.source_sha256,
        kernels=manifest.cpu,
        optimize=manifest.optimize,
        shape_words=sum(len(spec.shape) for spec in tensors),
        tensors=len(tensors),
        sample_bytes=sum(spec.nbytes for spec in tensors),
        tensor_sum=manifest.memory.plain_sum,
        sample=sample,
        sample_name=name,
        takes_digits=_takes_digits(manifest),
        layer_shapes=tuple(next(iter(layer.outputs), None) for layer in manifest.layers),
        macs=sum(layer.macs for layer in manifest.layers),
        arena=tuple(
            ArenaBuffer(piece.name, piece.offset, piece.bytes, piece.first, piece.last)
            for piece in manifest.memory.pieces
        ),
    )


def with_digit(network: Network, digit: NDArray[np.float32], name: str) -> Network:
    """``network`` with ``digit``, (28, 28) from 0 to 1, as its built-in sample, which is called ``name``.

    Raises:
        IncompatibleError: It takes something else than digits.
    """
    manifest = msgspec.json.decode((Path(network.folder) / MANIFEST).read_bytes(), type=Manifest)
    inputs = manifest.inputs
    if len(inputs) != 1 or int(np.prod(inputs[0].shape)) != PIXELS:
        shapes = ", ".join("x".join(map(str, spec.shape)) for spec in inputs)
        raise IncompatibleError(
            f"The network takes no digit: its input is {shapes}, not {PIXELS} numbers.",
            "Leave --sample out, or give a network of drawn digits.",
        )
    return msgspec.structs.replace(network, sample=_quantized(digit, inputs[0]), sample_name=name)


def _quantized(digit: NDArray[np.float32], spec: TensorSpec) -> bytes:
    from edgerig.datasets.preprocess import quantize_input

    return np.ascontiguousarray(quantize_input(digit.reshape(spec.shape), spec)).tobytes()


def _takes_digits(manifest: Manifest) -> bool:
    sizes = [[int(np.prod(spec.shape)) for spec in specs] for specs in (manifest.inputs, manifest.outputs)]
    dtypes = {spec.dtype for spec in (*manifest.inputs, *manifest.outputs)}
    return sizes == [[PIXELS], [OUTPUTS]] and dtypes <= {"int8", "uint8", "float32"}


def check_digits(board: Board, network: Network) -> None:
    """Check that a firmware of ``board`` with ``network`` can answer the digits' protocol.

    Raises:
        IncompatibleError: The board has no line for it, or the network takes something else.
    """
    if board.lines.digits is None:
        raise IncompatibleError(f"{board.title} has no line for the digits' protocol.", "Take the board stm32f746.")
    check_takes_digits(network)


def check_takes_digits(network: Network) -> None:
    """Check that the digits' protocol can be answered with ``network``.

    Raises:
        IncompatibleError: It takes something else.
    """
    if not network.takes_digits:
        raise IncompatibleError(
            f"The digits' protocol needs a network that takes {PIXELS} numbers and makes {OUTPUTS}, int8, uint8 or "
            "float32; this one does not.",
            "Take one of MNIST, or build without digits.",
        )


def built_in_sample(inputs: tuple[TensorSpec, ...]) -> tuple[bytes, str]:
    """Inputs for the console's CMD=2: a real digit where the network takes one, and what it is.

    There are none for other networks: the board makes a ramp, which would only take flash.
    """
    if len(inputs) == 1 and inputs[0].shape in ((1, _DIGIT, _DIGIT), (1, _DIGIT, _DIGIT, 1)):
        return _digit(inputs[0])
    return b"", "a ramp of numbers"


def _digit(spec: TensorSpec) -> tuple[bytes, str]:
    from edgerig.datasets.mnist import Mnist

    digits = Mnist()
    samples = digits.split("test")
    real = samples.inputs(slice(0, 1), digits.preprocessing)
    return _quantized(real, spec), f"a handwritten digit, {digits.classes[int(samples.labels[0])]}"


def _way_to_c(artifact: Artifact) -> str:
    """A hint how to convert a network to what the C compiler reads, if edgerig can."""
    compiler = formats.named(artifact.format).compiler
    if compiler is not None and find("compiler", compiler, ModelCompiler).makes in CSource.takes:
        return f"Convert it: edgerig compile {shlex.quote(artifact.path)} --to {compiler}"
    return "Export the model to TFLite where it comes from."
