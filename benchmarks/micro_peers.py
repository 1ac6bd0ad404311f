"""What `micro_boards.py` needs to let other engines run the same networks: rewritten models, generated C, one image.

bakenn takes none of the networks as they are shipped; `for_bakenn` rewrites them without changing what they compute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.boards.board import firmware_folder, load_board
from edgerig.boards.sizes import open_elf
from edgerig.boards.toolchain import Toolchain
from edgerig.simulator.layer_counts import START
from edgerig.simulator.simulator import Simulator

_SCRIPT = """\
ENTRY(Reset_Handler)
SECTIONS {
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
  .text 0x08000000 : { KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) }
  . = 0x20000000;
  .data : { *(.data .data.*) }
  .bss (NOLOAD) : { *(.bss .bss.* COMMON) }
  stack_top = 0x20050000;
}
"""
#: What other engines' C includes and does not use in these networks.
_HEADERS = {
    "math.h": "#pragma once\n#define fmaxf __builtin_fmaxf\n#define fminf __builtin_fminf\n"
    '#define INFINITY __builtin_inff()\n#define NAN __builtin_nanf("")\n#define isnan __builtin_isnan\n'
    "float expf(float x);\n",
    "stdio.h": "#pragma once\ntypedef struct FILE FILE;\n",
}
_PAINT = 0xA5
_RAM, _STACK_TOP = 0x2000_0000, 0x2005_0000


@dataclass(frozen=True)
class Image:
    """C files of one engine that run one network.

    Attributes:
        sources: C and assembly files.
        run: Function of one inference, without arguments; ``before`` is called once.
        input, output: Names of variables that hold them, or of functions of an index which tell where they lie.
        keep: More names that the linker must not drop.
    """

    sources: Sequence[Path]
    includes: Sequence[Path]
    run: str
    input: str
    output: str
    before: str = ""
    defines: Sequence[str] = ()
    functions: bool = False
    keep: Sequence[str] = ()


class Running:
    """An image on the simulated STM32F746, built without a C library: headers below, memcpy of the firmware.

    Attributes:
        flash: Bytes of code and constants.
        ram: Bytes of variables.
    """

    def __init__(self, image: Image, folder: Path, level: str, toolchain: Toolchain) -> None:
        self._image = image
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "start.c").write_text(START)
        (folder / "sections.ld").write_text(_SCRIPT)
        elf = folder / "image.elf"
        self._build(image, folder, level, toolchain)
        sections = {section.name: section["sh_size"] for section in open_elf(elf).iter_sections()}
        self.flash = sections[".text"] + sections.get(".data", 0)
        self.ram = sections.get(".data", 0) + sections.get(".bss", 0)
        self.board = Simulator(elf, load_board("stm32f746"))
        if image.before:
            self.board.call(image.before)

    @staticmethod
    def _build(image: Image, folder: Path, level: str, toolchain: Toolchain) -> None:
        common = firmware_folder() / "boards" / "common"
        headers = folder / "headers"
        headers.mkdir(exist_ok=True)
        for name, text in _HEADERS.items():
            (headers / name).write_text(text)
        machine = toolchain.machine("cortex-m7", "fpv5-sp-d16")
        flags = (
            *machine, f"-O{level}", "-std=gnu11", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-w",
            f"-isystem{common / 'freestanding'}", f"-isystem{headers}", *(f"-I{path}" for path in image.includes),
            *(f"-D{name}" for name in image.defines),
        )  # fmt: skip
        # As in a firmware: memcpy is not the network's, and kept small.
        small = (*flags, *toolchain.optimize("s"))
        sources = [*image.sources, folder / "start.c", common / "memory.c"]
        objects = [folder / f"{number}.o" for number in range(len(sources))]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            jobs = [
                pool.submit(toolchain.compile, source, to, small if source.parent == common else flags, folder)
                for source, to in zip(sources, objects, strict=True)
            ]
            for done in jobs:
                done.result()
        names = [image.run, image.input, image.output, *image.keep, *([image.before] if image.before else [])]
        keep = tuple(f"-Wl,-u,{name}" for name in names)
        complaint = toolchain.link(objects, folder / "image.elf", (*machine, *keep), folder)
        if complaint:
            sys.exit(f"{folder.name} cannot be linked:\n{complaint}")

    def where(self, name: str) -> int:
        """Address of the input or output."""
        return self.board.call(name, 0) if self._image.functions else self.board.symbols[name]

    def infer(self, sample: NDArray[Any], result: NDArray[Any]) -> tuple[NDArray[Any], int]:
        """One inference; an array like ``result``, and the instructions."""
        self.board.poke(self.where(self._image.input), sample.tobytes())
        instructions = self.board.count(self._image.run)
        made = self.board.peek(self.where(self._image.output), result.nbytes)
        return np.frombuffer(made, result.dtype).reshape(result.shape), instructions

    def stack(self) -> int:
        """Bytes of stack that an inference takes."""
        bottom = _RAM + self.ram + 64
        self.board.poke(bottom, bytes([_PAINT]) * (_STACK_TOP - bottom))
        self.board.call(self._image.run)
        painted = self.board.peek(bottom, _STACK_TOP - bottom)
        return len(painted.lstrip(bytes([_PAINT])))


def bakenn_image(data: bytes, name: str, folder: Path) -> Image:
    """C by bakenn with CMSIS-NN's kernels for a Cortex-M4 (the nearest that it knows), of a rewritten network."""
    import bakenn

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tflite"
    path.write_bytes(data)
    options = bakenn.CBackendOptions(
        kernel_policy=bakenn.KernelPolicy.STATIC_PRIORITY, enable_cmsis_nn=True, target=bakenn.CORTEX_M4
    )
    bakenn.compile_tflite(path, folder / "c", name=name, backend_options=options, target=bakenn.CORTEX_M4)
    upper = f"BKNN_{name.upper()}"
    (folder / "c" / "peer.c").write_text(
        f'#include "bknn_{name}.h"\n'
        f"static uint8_t arena[{upper}_ARENA_SIZE + 1] __attribute__((aligned(16)));\n"
        f"int8_t peer_input[{upper}_INPUT_BYTES] __attribute__((aligned(16)));\n"
        f"int8_t peer_output[{upper}_OUTPUT_BYTES] __attribute__((aligned(16)));\n"
        f"void peer_run(void) {{ bknn_{name}_infer(arena, peer_input, peer_output); }}\n"
    )
    third = folder / "c" / "third_party"
    includes = [folder / "c", third / "cmsis_nn" / "Include", third / "cmsis_core" / "Include"]
    sources = sorted((folder / "c").rglob("*.c"))
    return Image(sources, includes, "peer_run", "peer_input", "peer_output", "", ("BAKENN_CMSIS_NN_BUILTIN_MEMORY",))


def emx_image(folder: Path) -> Image:
    """C by emx-onnx-cgen of the MNIST network, float, from ONNX; all memory on the stack."""
    import onnx

    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_digits_onnx(), str(folder / "digits.onnx"))
    words = ["compile", str(folder / "digits.onnx"), str(folder / "digits.c"), "--large-temp-threshold", "0"]
    words += ["--large-weight-threshold", "0", "--fp32-accumulation-strategy", "simple", "--model-name", "digits"]
    done = subprocess.run([sys.executable, "-m", "emx_onnx_cgen", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"emx-onnx-cgen does not compile the MNIST network:\n{(done.stdout + done.stderr)[-2000:]}")
    (folder / "peer.c").write_text(
        "void digits(const float x[1][1][28][28], float y[1][10]);\n"
        "float peer_input[1][1][28][28], peer_output[1][10];\n"
        "void peer_run(void) { digits(peer_input, peer_output); }\n"
    )
    return Image([folder / "digits.c", folder / "peer.c"], [folder], "peer_run", "peer_input", "peer_output")


def _digits_onnx() -> Any:
    """The layers of the MNIST network with random weights, as ONNX; no softmax, as everywhere in the comparison."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    constants, nodes, last = [], [], "x"

    def constant(name: str, *shape: int) -> str:
        constants.append(numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name))
        return name

    for i, (depth, channels) in enumerate(((1, 32), (32, 64), (64, 64))):
        kernel = [constant(f"w{i}", channels, depth, 3, 3), constant(f"b{i}", channels)]
        nodes.append(helper.make_node("Conv", [last, *kernel], [f"c{i}"]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        last = f"r{i}"
        if i < 2:
            nodes.append(helper.make_node("MaxPool", [last], [f"p{i}"], kernel_shape=[2, 2], strides=[2, 2]))
            last = f"p{i}"
    hidden, head = [constant("w3", 64, 576), constant("b3", 64)], [constant("w4", 10, 64), constant("b4", 10)]
    nodes += [
        helper.make_node("Flatten", [last], ["flat"]),
        helper.make_node("Gemm", ["flat", *hidden], ["dense"], transB=1),
        helper.make_node("Relu", ["dense"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", *head], ["y"], transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 28, 28])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "digits", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def without_borders(data: bytes) -> bytes:
    """The network without float input and output: no QUANTIZE, SOFTMAX, DEQUANTIZE at its borders."""

    def change(model: Any, graph: Any, code: Callable[[Any], int], schema: Any) -> None:
        kinds = schema.BuiltinOperator
        if code(graph.operators[0]) == kinds.QUANTIZE:
            graph.inputs = [int(graph.operators[0].outputs[0])]
            graph.operators = graph.operators[1:]
        while code(graph.operators[-1]) in (kinds.DEQUANTIZE, kinds.SOFTMAX):
            graph.outputs = [int(graph.operators[-1].inputs[0])]
            graph.operators = graph.operators[:-1]
        # A shape that is worked out at run time, before a last RESHAPE: constant, and no part of the network's work.
        shaping = (kinds.SHAPE, kinds.STRIDED_SLICE, kinds.PACK)
        if any(code(one) == kinds.SHAPE for one in graph.operators):
            if code(graph.operators[-1]) == kinds.RESHAPE:
                graph.outputs = [int(graph.operators[-1].inputs[0])]
                graph.operators = graph.operators[:-1]
            graph.operators = [one for one in graph.operators if code(one) not in shaping]

    return _changed(data, change)


def for_bakenn(data: bytes) -> bytes:
    """The same network as bakenn takes it.

    No shape signatures, RESHAPE with its shape, SAME padding that is not the same on both sides as PAD and VALID.
    """

    def change(model: Any, graph: Any, code: Callable[[Any], int], schema: Any) -> None:
        kinds = schema.BuiltinOperator
        for tensor in graph.tensors:
            tensor.shapeSignature = None
        operators = []
        for operator in graph.operators:
            if code(operator) == kinds.RESHAPE:
                options = schema.ReshapeOptionsT()
                options.newShape = [int(size) for size in graph.tensors[operator.outputs[0]].shape]
                operator.builtinOptions, operator.builtinOptionsType = options, schema.BuiltinOptions.ReshapeOptions
            if code(operator) in (kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D):
                operators += _explicit_padding(model, graph, operator, schema)
            if code(operator) in (kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D, kinds.FULLY_CONNECTED):
                _exact_bias_scales(graph, operator)
            operators.append(operator)
        graph.operators = operators

    return _changed(data, change)


def _exact_bias_scales(graph: Any, operator: Any) -> None:
    source, weights, bias = (graph.tensors[index].quantization for index in operator.inputs)
    bias.scale = [float(np.float32(source.scale[0]) * np.float32(scale)) for scale in weights.scale]


def _explicit_padding(model: Any, graph: Any, operator: Any, schema: Any) -> list[Any]:
    """A PAD for the operator where its SAME padding is not the same on both sides; the operator becomes VALID."""
    options = operator.builtinOptions
    source, weights, out = (graph.tensors[index] for index in (*operator.inputs[:2], operator.outputs[0]))
    if options.padding != schema.Padding.SAME:
        return []
    steps = (options.strideH, options.strideW)
    pads = []
    for axis in (1, 2):
        total = max((out.shape[axis] - 1) * steps[axis - 1] + weights.shape[axis] - source.shape[axis], 0)
        pads.append((int(total) // 2, int(total) - int(total) // 2))
    if all(before == after for before, after in pads):
        return []
    options.padding = schema.Padding.VALID
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.array([(0, 0), *pads, (0, 0)], np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    paddings, padded = schema.TensorT(), schema.TensorT()
    paddings.name, paddings.shape, paddings.type = b"paddings", [4, 2], schema.TensorType.INT32
    paddings.buffer = len(model.buffers) - 1
    grown = [int(size) + sum(pad) for size, pad in zip(source.shape[1:3], pads, strict=True)]
    padded.name, padded.shape, padded.type = b"padded", [1, *grown, int(source.shape[3])], source.type
    padded.buffer, padded.quantization = 0, source.quantization
    graph.tensors += [paddings, padded]
    count = len(graph.tensors)
    entry = schema.OperatorCodeT()
    entry.builtinCode = entry.deprecatedBuiltinCode = schema.BuiltinOperator.PAD
    entry.version = 2
    model.operatorCodes.append(entry)
    pad = schema.OperatorT()
    pad.opcodeIndex, pad.inputs, pad.outputs = (
        len(model.operatorCodes) - 1,
        [operator.inputs[0], count - 2],
        [count - 1],
    )
    pad.builtinOptionsType, pad.builtinOptions = schema.BuiltinOptions.PadOptions, schema.PadOptionsT()
    operator.inputs = [count - 1, *operator.inputs[1:]]
    return [pad]


def _changed(data: bytes, change: Callable[[Any, Any, Callable[[Any], int], Any], None]) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    model.operatorCodes = list(model.operatorCodes)
    graph = model.subgraphs[0]
    change(model, graph, lambda operator: int(model.operatorCodes[operator.opcodeIndex].builtinCode), schema)
    model.signatureDefs = model.metadata = model.metadataBuffer = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
