"""The whole way: read, passes, kernels, layouts, lowering, memory, text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from edgerig import __version__
from edgerig.artifact import TensorSpec
from edgerig.errors import CompileError, UsageError
from edgerig.files import sha256
from edgerig.micro.arithmetic.memo import memoized
from edgerig.micro.c_text import includes, prefixed
from edgerig.micro.emit import model, weights
from edgerig.micro.emit.cmake import NAME as CMAKE
from edgerig.micro.emit.cmake import cmake_lists
from edgerig.micro.emit.manifest import (
    FORMAT,
    ConstantEntry,
    KernelRefusal,
    Layer,
    Manifest,
    MemoryPlan,
    Placed,
    SourceFile,
)
from edgerig.micro.emit.model import LayerCode, share_constants
from edgerig.micro.emit.source import MANIFEST, Source
from edgerig.micro.faster import faster_cpus
from edgerig.micro.flash import plan_within_flash
from edgerig.micro.frontend.onnx import read_onnx_program
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Program, Value
from edgerig.micro.kernels.base import C_TYPES, Constant, Kernel
from edgerig.micro.kernels.registry import kernels_for
from edgerig.micro.memory.arena import Memory, plain_sum
from edgerig.micro.options import Options
from edgerig.micro.passes import PASSES
from edgerig.micro.passes.integer_io import integer_io
from edgerig.micro.select import Refusals
from edgerig.micro.soft_float import soft_float_note
from edgerig.micro.stages import Compilation
from edgerig.models.formats import Onnx

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def compile_model(data: bytes, name: str, options: Options, file: str | None = None) -> Source:
    """Compile a TFLite network, or a classical model in ONNX, to C99.

    Args:
        data: Content of the .tflite file, or of the .onnx file.
        name: Prefix of all names in the C code: a C identifier.
        options: CPU, speed or size, RAM and flash.
        file: How messages and the manifest call the file; its suffix says what it is;
            ``name`` with .tflite if not given.

    Raises:
        ModelError: It is no sound TFLite or ONNX file.
        CompileError: It uses what the compiler does not know, or does not fit any microcontroller,
            ``options.ram`` or ``options.flash``.
        UsageError: The name is no C identifier; UnknownNameError: the CPU is not known.
    """
    if not _NAME.fullmatch(name) or len(name) > 60:
        raise UsageError(f"{name!r} cannot be the prefix of C names.", "Letters, digits and _, a letter first.")
    file = file or f"{name}.tflite"
    read = read_onnx_program if file.lower().endswith(Onnx.suffixes) else read_program
    return compile_program(read(data, file), name, options, len(data))


def compile_program(
    program: Program, name: str, options: Options, file_bytes: int = 0, kernels: Sequence[Kernel] | None = None
) -> Source:
    """Compile what was read, or put together, to C99; the passes change ``program``.

    Args:
        program: The network.
        name: Prefix of all names in the C code.
        options: CPU, and speed or size.
        file_bytes: Size of the file it came from.
        kernels: To choose from, in order; all that work on the CPU if not given.

    Raises:
        CompileError: No kernel takes some operator, or it does not fit any microcontroller.
    """
    kernels = kernels_for(options) if kernels is None else kernels
    if options.io == "integer":
        integer_io(program)
    plain = plain_sum(program)
    parameters = sum(value.nbytes for value in _constants(program))
    for run in PASSES:
        run(program)
    with memoized():
        planned = plan_within_flash(program, Compilation(program, kernels, options, Refusals(), plain))
        layers = share_constants(planned.layers())
    program.notes += [stage.note for stage in planned.stages]
    if note := soft_float_note([layer.node for layer in layers], options):
        program.notes.append(note)
    return _emit(program, name, options, layers, planned.memory, (plain, parameters, file_bytes))


def _constants(program: Program) -> list[Value]:
    values = (value for node in program.nodes for value in node.inputs if value.constant)
    return list(dict.fromkeys(values))


def _emit(
    program: Program, name: str, options: Options, layers: list[LayerCode], memory: Memory, sums: tuple[int, int, int]
) -> Source:
    constants = [constant for layer in layers for constant in layer.context.constants]
    plain: dict[Value, str] = {}
    for index, value in enumerate(model.plain_constants(program, layers)):
        constant_value = Constant(f"c{index}", C_TYPES[value.dtype], np.array(value.data), stands_for=(value,))
        constants.append(constant_value)
        plain[value] = f"@P@_{constant_value.name}"
    files = {
        "model.h": model.header(program, name, len(layers), memory, __version__).encode(),
        "model.c": model.code(program, name, layers, memory, plain).encode(),
        "weights.h": weights.header(constants, name).encode(),
        "weights.c": weights.code(constants, name),
        **{path: text.encode() for path, text in _kernel_files(layers, name).items()},
    }
    files[CMAKE] = cmake_lists(name, options.cpu, files)
    manifest = _manifest(program, name, options, layers, memory, sums, constants, files)
    files[MANIFEST] = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    return Source(files, manifest)


def _kernel_files(layers: Sequence[LayerCode], name: str) -> dict[str, str]:
    """The kernels' files and those that they include, each once."""
    waiting = [path for layer in layers for path in layer.lowered.files]
    texts: dict[str, str] = {}
    origins: dict[str, Path] = {}
    while waiting:
        path = waiting.pop()
        target = f"kernels/{path.name}"
        if target in texts:
            if origins[target] != path:
                raise CompileError(f"Two kernels bring a file {path.name}.")
            continue
        texts[target], origins[target] = path.read_text(), path
        waiting += [file for name_ in includes(texts[target]) for file in _included(path, name_)]
    for layer in layers:
        for file, text in layer.lowered.generated.items():
            texts[f"kernels/{file}"] = prefixed(text, name)
    return dict(sorted(texts.items()))


def _included(path: Path, name: str) -> list[Path]:
    """The file ``name`` that ``path`` includes: beside it, or in another folder of the same CPU's kernels."""
    beside = path.parent / name
    return [beside] if beside.exists() else sorted(path.parent.parent.glob(f"*/{name}"))[:1]


def _manifest(
    program: Program,
    name: str,
    options: Options,
    layers: Sequence[LayerCode],
    memory: Memory,
    sums: tuple[int, int, int],
    constants: Sequence[Constant],
    files: dict[str, bytes],
) -> Manifest:
    plan = memory.plan
    plain, parameters, size = sums
    return Manifest(
        format=FORMAT,
        version=__version__,
        name=name,
        source=program.name,
        source_sha256=program.sha256,
        source_bytes=size,
        cpu=options.cpu,
        optimize=options.optimize,
        features=tuple(sorted(options.features)),
        inputs=tuple(_spec(value) for value in program.inputs),
        outputs=tuple(_spec(value) for value in program.outputs),
        macs=sum(layer.node.macs for layer in layers),
        constant_bytes=sum(array.nbytes for array in constants),
        parameter_bytes=parameters,
        memory=MemoryPlan(
            arena=plan.nbytes,
            lower_bound=plan.lower_bound,
            plain_sum=plain,
            method=plan.method,
            inputs=tuple(memory.offsets[value] for value in program.inputs),
            outputs=tuple(memory.offsets.get(value, -1) for value in program.outputs),
            pieces=tuple(
                Placed(name=array.name, offset=array.offset, bytes=array.nbytes, first=array.first, last=array.last)
                for array in plan.buffers
            ),
        ),
        layers=tuple(_layer(index, layer) for index, layer in enumerate(layers)),
        constants=tuple(
            ConstantEntry(
                name=f"{name}_{array.name}", bytes=array.nbytes, tensors=tuple(v.name for v in array.stands_for)
            )
            for array in constants
        ),
        files=tuple(
            SourceFile(path=path, bytes=len(content), sha256=sha256(content)) for path, content in files.items()
        ),
        notes=tuple(program.notes),
        faster=faster_cpus([layer.node for layer in layers], options),
    )


def _spec(value: Value) -> TensorSpec:
    return TensorSpec(value.name, value.shape, value.dtype, value.quantization)


def _layer(index: int, layer: LayerCode) -> Layer:
    node = layer.node
    return Layer(
        index=index,
        name=node.name,
        op=node.label,
        position=node.position,
        kernel=layer.kernel.name,
        macs=node.macs,
        inputs=tuple(value.shape for value in node.inputs if not value.constant),
        outputs=tuple(value.shape for value in node.outputs),
        constant_bytes=sum(constant.nbytes for constant in layer.context.constants),
        scratch_bytes=layer.context.scratch_bytes,
        refusals=tuple(KernelRefusal(kernel=kernel.name, reason=reason) for kernel, reason in layer.refusals),
    )
