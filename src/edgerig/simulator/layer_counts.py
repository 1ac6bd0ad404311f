"""Instructions of each layer of generated C for Cortex-M, counted on a simulated processor with enough memory."""

from __future__ import annotations

import os
import struct
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.boards.board import Memory, Region, firmware_folder, load_board
from edgerig.boards.toolchain import Toolchain, find_toolchain
from edgerig.errors import CompileError, UsageError
from edgerig.micro.emit.manifest import Manifest
from edgerig.simulator.simulator import Simulator

#: The board whose processor runs the code of every CPU that `counts_for` names.
_BOARD = "stm32f746"
_MEBIBYTE = 1 << 20
#: A row of the generated table of layers: name, kernel, multiply-accumulates, function.
_ROW = struct.Struct("<4I")
#: C of a program that is nothing but its functions: the vectors, and a reset handler that waits.
START = """\
extern unsigned stack_top;
void Reset_Handler(void);
void Reset_Handler(void) { for (;;) {} }
__attribute__((section(".vectors"), used)) static const void *const vectors[] = { &stack_top, (void *)Reset_Handler };
"""
_SCRIPT = """\
ENTRY(Reset_Handler)
SECTIONS {{
  /DISCARD/ : {{ *(.ARM.exidx*) *(.ARM.extab*) }}
  .text {flash} : {{ KEEP(*(.vectors)) *(.text .text.* .rodata .rodata.*) }}
  . = {ram};
  .data : {{ *(.data .data.*) }}
  .bss (NOLOAD) : {{ *(.bss .bss.* COMMON) }}
  stack_top = {stack};
}}
"""


def counts_for(cpu: str) -> bool:
    """Whether layers for that CPU of the C compiler can be counted."""
    return cpu.partition("+")[0] in ("cortex-m4", "cortex-m7")


def count_layers(folder: Path, manifest: Manifest, toolchain: Toolchain | None = None) -> list[int]:
    """Instructions of each layer in one inference of random inputs, calls included, built with -O2.

    Args:
        folder: The generated C.
        manifest: What lies beside it.
        toolchain: The C compiler; `find_toolchain`'s by default.

    Raises:
        UsageError: The CPU has no simulator here, or no C compiler is installed.
        MissingExtraError: unicorn is not installed. CompileError: The code cannot be built.
    """
    if not counts_for(manifest.cpu):
        raise UsageError(f"Instructions for the CPU {manifest.cpu} are not counted.", "Count for a Cortex-M4 or M7.")
    board = load_board(_BOARD)
    constants = sum(layer.constant_bytes for layer in manifest.layers)
    flash = msgspec.structs.replace(board.memory.flash, length=_whole(constants + 2 * _MEBIBYTE))
    ram = msgspec.structs.replace(board.memory.ram, length=_whole(manifest.memory.arena + _MEBIBYTE))
    with tempfile.TemporaryDirectory() as work:
        elf = _build(folder.resolve(), manifest, toolchain or find_toolchain(), Path(work), (flash, ram))
        simulator = Simulator(elf, msgspec.structs.replace(board, memory=Memory(flash, ram)))
    name, layers = manifest.name, len(manifest.layers)
    simulator.call(f"{name}_init")
    rng = np.random.default_rng(0)
    for index, tensor in enumerate(manifest.inputs):
        simulator.poke(simulator.call(f"{name}_input", index), _random(tensor, rng))
    table = simulator.peek(simulator.symbols[f"{name}_layers"], layers * _ROW.size)
    return [simulator.count(run) for *_, run in _ROW.iter_unpack(table)]


def _whole(length: int) -> int:
    return -(-length // _MEBIBYTE) * _MEBIBYTE


def _random(tensor: TensorSpec, rng: np.random.Generator) -> bytes:
    """Content of an input: any byte of whole numbers, normal numbers of floats."""
    shape = tuple(1 if size is None else size for size in tensor.shape)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return bytes(rng.normal(size=shape).astype(dtype).tobytes())
    return rng.bytes(int(np.prod(shape)) * dtype.itemsize)


def _build(folder: Path, manifest: Manifest, toolchain: Toolchain, work: Path, regions: tuple[Region, Region]) -> Path:
    flash, ram = regions
    common, board = firmware_folder() / "boards" / "common", load_board(_BOARD)
    stack = ram.origin + ram.length
    script = _SCRIPT.format(flash=hex(flash.origin), ram=hex(ram.origin), stack=hex(stack))
    (work / "start.c").write_text(START)
    (work / "sections.ld").write_text(script)
    core, _, without = manifest.cpu.partition("+")
    machine = toolchain.machine(core, "" if without else "fpv4-sp-d16" if core == "cortex-m4" else board.fpu)
    flags = (
        *(*machine, *toolchain.optimize("2"), "-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections"),
        *("-w", f"-isystem{common / 'freestanding'}", f"-I{folder}", f"-I{folder / 'kernels'}"),
    )
    sources = sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".S"))
    jobs = [(source, work / f"{number}.o") for number, source in enumerate([*sources, work / "start.c"])]
    jobs.append((common / "memory.c", work / "memory.o"))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(toolchain.compile, source, output, flags, work) for source, output in jobs]:
            done.result()
    elf = work / "counted.elf"
    keep = tuple(f"-Wl,-u,{manifest.name}_{what}" for what in ("init", "run", "input", "layers"))
    complaint = toolchain.link([output for _, output in jobs], elf, (*machine, *keep), work)
    if complaint:
        raise CompileError(f"The generated C cannot be linked:\n{complaint}", "This is a fault of edgerig.")
    return elf
