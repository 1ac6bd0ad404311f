"""Single operators for the C compiler: generated from a seed, compiled with chosen kernels, simulated on a Cortex-M7.

::

    bench = OperatorBench(folder)
    case = bench.add([random_conv(rng, (8, 8, 16), 16, (3, 3))], kernels)
    outputs, instructions = bench.run(case, image)                  # the first run builds all that were added
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization
from edgerig.boards.board import firmware_folder, load_board
from edgerig.boards.toolchain import Choice, find_toolchain
from edgerig.micro.emit.manifest import Manifest
from edgerig.micro.emit.source import Source
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, MaxPool2D, Node, Padding, Program, Value
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.options import Options
from edgerig.micro.pipeline import compile_model, compile_program
from edgerig.micro.reference.run import Machine
from edgerig.simulator.layer_counts import START
from edgerig.simulator.simulator import Simulator
from edgerig.testing.networks.one_unit import fits_one_unit, one_unit
from edgerig.testing.networks.random_operators import random_content

Array = NDArray[Any]

_SCRIPT = """\
ENTRY(Reset_Handler)
SECTIONS {
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
  .text 0x08000000 : { KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) }
  .data 0x20048000 : { *(.data .data.*) }
  .bss 0x20000000 (NOLOAD) : { *(.bss .bss.* COMMON) }
  stack_top = 0x20050000;
}
ASSERT(ADDR(.bss) + SIZEOF(.bss) <= 0x20048000, "more than 288 KiB of RAM: fewer cases in one bench")
"""
#: Of cores with another one than most.
_FPUS = {
    **dict.fromkeys(("cortex-m0", "cortex-m0plus", "cortex-m23", "cortex-m3", "rv32imc"), ""),
    "cortex-m4": "fpv4-sp-d16",
}


@dataclass(frozen=True)
class Case:
    """Compiled nodes; ``reference`` runs them in numpy."""

    name: str
    program: Program
    reference: Machine
    manifest: Manifest


class OperatorBench:
    """Programs of a few nodes each, built into one firmware for an STM32F746.

    Args:
        folder: Folder for C and objects.
        compiler: The C compiler to use.
        cpu: The target CPU, ``cortex-m4`` or ``cortex-m7``; the simulated processor runs both.
    """

    def __init__(self, folder: Path, compiler: Choice = "auto", cpu: str = "cortex-m7") -> None:
        self._folder, self._cpu = folder, cpu
        self._toolchain = find_toolchain(compiler, cpu)
        self._cases: list[Case] = []
        self._sources: list[Source] = []
        self._simulator: Simulator | None = None

    def add(self, nodes: Sequence[Node], kernels: Sequence[Kernel], options: Options | None = None) -> Case:
        """Compile a chain of nodes.

        Raises:
            CompileError: No kernel accepts some node.
        """
        options = options or Options(cpu=self._cpu)
        name = f"case{len(self._cases)}"
        reference = Machine(chain_of(nodes))
        program = chain_of(nodes)
        return self._keep(program, reference, compile_program(program, name, options, kernels=kernels))

    def add_network(self, data: bytes, options: Options | None = None) -> Case:
        """Compile a TFLite file with all kernels of the CPU.

        Raises:
            ModelError, CompileError: As `edgerig.micro.compile_model`.
        """
        program = read_program(data, "network")
        source = compile_model(data, f"case{len(self._cases)}", options or Options(cpu=self._cpu))
        return self._keep(program, Machine(program), source)

    def _keep(self, program: Program, reference: Machine, source: Source) -> Case:
        name = source.manifest.name
        for path, content in source.files.items():
            # Kernels are shared by all cases; model.h is included by its name.
            target = self._folder / (path if path.startswith("kernels/") else f"{name}/{path}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        case = Case(name, program, reference, source.manifest)
        self._cases.append(case)
        self._sources.append(source)
        self._simulator = None
        return case

    def run(self, case: Case, *inputs: Array, fresh: bool = True) -> tuple[list[Array], int]:
        """Outputs and instructions of one inference on the board; the state is reset before if ``fresh``."""
        board = self._board()
        if fresh:
            board.call(f"{case.name}_init")
        for index, content in enumerate(inputs):
            board.poke(board.call(f"{case.name}_input", index), content.tobytes())
        instructions = board.count(f"{case.name}_run")
        outputs = []
        for index, value in enumerate(case.program.outputs):
            stored = board.peek(board.call(f"{case.name}_output", index), value.nbytes)
            outputs.append(np.frombuffer(stored, value.dtype).reshape(value.shape))
        return outputs, instructions

    def compare(self, case: Case, rng: np.random.Generator) -> int:
        """Run on random input, assert that the outputs equal the reference's; returns the instructions.

        Integers must be equal, float32 within 1e-5 of the largest output.
        """
        inputs = [random_content(rng, value) for value in case.program.inputs]
        outputs, instructions = self.run(case, *inputs)
        for output, wanted in zip(outputs, case.reference.run(inputs), strict=True):
            if output.dtype == np.float32:
                np.testing.assert_allclose(output, wanted, rtol=0, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))
            else:
                np.testing.assert_array_equal(output, wanted)
        return instructions

    def _board(self) -> Simulator:
        if self._simulator is None:
            self._simulator = Simulator(self._build(), load_board("stm32f746"))
            self._simulator.watch_alignment(True)
        return self._simulator

    def _build(self, start: str = START, script: str = _SCRIPT, more_flags: Sequence[str] = ()) -> Path:
        (self._folder / "start.c").write_text(start)
        (self._folder / "sections.ld").write_text(script)
        common = firmware_folder() / "boards" / "common"
        machine = self._toolchain.machine(self._cpu, _FPUS.get(self._cpu, "fpv5-sp-d16"))
        flags = (
            *machine,
            "-std=c99",
            "-ffreestanding",
            "-O2",
            "-ffunction-sections",
            "-fdata-sections",
            f"-isystem{common / 'freestanding'}",
        )
        strict = (*flags, "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
        # All cases in one file, all constants in another, most assembly in a third: zig takes 40 ms to start for each.
        everything = "".join(f'#include "{case.name}/weights.c"\n' for case in self._cases)
        (self._folder / "constants.c").write_text(everything)
        (self._folder / "networks.c").write_text(one_unit(self._sources))
        together = [path for path in self._folder.glob("kernels/*.S") if fits_one_unit(path.read_text())]
        if together:
            everything = "".join(f'#include "kernels/{path.name}"\n' for path in sorted(together))
            (self._folder / "assembly.S").write_text(everything)
        jobs = []
        for number, source in enumerate(sorted(self._folder.rglob("*.[cS]"))):
            if source.name in ("weights.c", "model.c") or source in together:
                continue
            output = self._folder / f"{number}-{source.stem}.o"
            more = (*strict, f"-I{self._folder}")
            if source.name == "start.c":
                more = (*flags, "-std=gnu99", *more_flags)
            jobs.append((source, output, more))
        jobs.append((common / "memory.c", self._folder / "memory.o", flags))
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for done in [pool.submit(self._toolchain.compile, *job, self._folder) for job in jobs]:
                done.result()
        elf = self._folder / "bench.elf"
        keep = tuple(
            f"-Wl,-u,{case.name}_{what}" for case in self._cases for what in ("init", "run", "input", "output")
        )
        complaint = self._toolchain.link([job[1] for job in jobs], elf, (*machine, *keep), self._folder)
        assert not complaint, complaint
        return elf


def chain_of(nodes: Sequence[Node]) -> Program:
    """A program of nodes, each of which reads what the one before makes."""
    inputs = [value for value in nodes[0].inputs if not value.constant]
    return Program("bench", "0" * 64, list(nodes), inputs, [nodes[-1].output])


def random_conv(
    rng: np.random.Generator,
    image: tuple[int, int, int],
    channels: int,
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    same: bool = True,
    activation: str = "RELU",
    zero_points: tuple[int, int] = (-128, -128),
    depthwise: bool = False,
) -> Conv2D | DepthwiseConv2D:
    """An int8 convolution whose outputs cover most of their range.

    Args:
        rng: Source of weights, bias and scales.
        image: Height, width, channels of the input.
        channels: Of the output.
        kernel: Height and width.
        stride, dilation: Likewise.
        same: Padding SAME rather than VALID.
        activation: TFLite's name.
        zero_points: Of input and output.
        depthwise: A depthwise convolution.
    """
    sizes, before, after = [], [], []
    for size, taps, step, spread in zip(image, kernel, stride, dilation, strict=False):
        reach = (taps - 1) * spread + 1
        out = -(-size // step) if same else -(-(size - reach + 1) // step)
        total = max((out - 1) * step + reach - size, 0) if same else 0
        sizes.append(out)
        before.append(total // 2)
        after.append(total - total // 2)
    shape = (1, *kernel, channels) if depthwise else (channels, *kernel, image[2])
    depth = kernel[0] * kernel[1] * (1 if depthwise else image[2])
    weights = rng.integers(-127, 128, shape).astype(np.int8)
    scales = rng.uniform(0.3, 1.0, channels) / 100
    output_scale = 0.05 * float(scales.mean()) * depth**0.5 * 50
    bias = rng.integers(-3000, 3000, channels).astype(np.int32)
    x = int8_value("x", (1, *image), [0.05], [zero_points[0]])
    w = int8_value("w", shape, scales, [0] * channels, 3 if depthwise else 0, weights)
    b = Value("b", (channels,), "int32", None, bias)
    y = int8_value("y", (1, *sizes, channels), [output_scale], [zero_points[1]])
    padding = Padding(before[0], before[1], after[0], after[1])
    kind = DepthwiseConv2D if depthwise else Conv2D
    return kind("conv", 0, [x, w, b], [y], activation, stride, dilation, padding)


def in_float(node: Conv2D, rng: np.random.Generator) -> Conv2D:
    """A float32 convolution of the same shape."""
    shape = node.weights.shape
    depth = node.weights.elements / shape[0]
    weights = rng.normal(0, depth**-0.5, shape).astype(np.float32)
    values = (
        Value("x", node.input.shape, "float32"),
        Value("w", shape, "float32", None, weights),
        Value("b", (shape[0],), "float32", None, rng.normal(size=shape[0]).astype(np.float32)),
    )
    output = Value("y", node.output.shape, "float32")
    more = (node.activation, node.stride, node.dilation, node.padding)
    return Conv2D("conv", 0, list(values), [output], *more)


def pool_behind(node: Node) -> MaxPool2D:
    """A 2x2 maximum, stride 2, of the output of ``node``."""
    _, height, width, channels = node.output.shape
    output = Value("z", (1, height // 2, width // 2, channels), node.output.dtype, node.output.quantization)
    return MaxPool2D("pool", 1, [node.output], [output], (2, 2), (2, 2))


def int8_value(
    name: str,
    shape: tuple[int, ...],
    scales: Sequence[float] | Array,
    zero_points: Sequence[int],
    axis: int | None = None,
    data: Array | None = None,
) -> Value:
    """An int8 tensor, constant if ``data`` is given; scales become float32 as in a file."""
    exact = tuple(float(np.float32(scale)) for scale in scales)
    return Value(name, shape, "int8", Quantization(exact, tuple(zero_points), axis), data)
