"""Instructions of each layer of generated C, counted on a simulated processor with enough memory.

Cortex-M0, M0+, M23, M3, M4 and M7 are counted by unicorn, exactly; Cortex-M33, M55 and M85 on QEMU's Cortex-M55,
within a few instructions a layer; RISC-V on QEMU's, exactly.
"""

from __future__ import annotations

import os
import struct
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from edgerig.artifact import TensorSpec
from edgerig.boards.board import Memory, firmware_folder, load_board
from edgerig.boards.toolchain import Toolchain, find_toolchain
from edgerig.errors import CompileError, UsageError
from edgerig.micro.emit.manifest import Manifest
from edgerig.simulator.qemu_calls import CORTEX_M55, RV32IMC, QemuCalls
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


#: Core that generated C is built for: what simulates it, the core as C compilers know it, its FPU.
_CORES = {
    "cortex-m0": ("unicorn", "cortex-m0", ""),
    "cortex-m0plus": ("unicorn", "cortex-m0plus", ""),
    "cortex-m23": ("unicorn", "cortex-m23", ""),
    "cortex-m3": ("unicorn", "cortex-m3", ""),
    "cortex-m4": ("unicorn", "cortex-m4", "fpv4-sp-d16"),
    "cortex-m7": ("unicorn", "cortex-m7", "fpv5-sp-d16"),
    "cortex-m33": ("qemu", "cortex-m33", "fpv5-sp-d16"),
    "cortex-m55": ("qemu", "cortex-m55", "fp-armv8"),
    "cortex-m85": ("qemu", "cortex-m55", "fp-armv8"),
    "rv32imc": ("qemu", "rv32imc", ""),
}


#: The cores that are counted, for messages.
COUNTED = tuple(_CORES)


def counted_on(cpu: str) -> tuple[str, bool]:
    """What counts layers for that CPU, in words; and whether a board that has cycles simulates the like of it."""
    if cpu == "rv32imc":
        return "QEMU's RV32IMC", False
    if cpu in ("cortex-m0", "cortex-m0plus", "cortex-m23", "cortex-m3"):
        return f"a simulated processor, which executes what a {cpu} does", False
    if _CORES[cpu.partition("+")[0]][0] == "qemu":
        return "QEMU's Cortex-M55, good to some tens a layer,", False
    return "a simulated Cortex-M7", True


def counts_for(cpu: str) -> bool:
    """Whether layers for that CPU of the C compiler can be counted."""
    return cpu.partition("+")[0] in _CORES


def count_layers(
    folder: Path, manifest: Manifest, toolchain: Toolchain | None = None, cpu: str | None = None
) -> list[int]:
    """Instructions of each layer in one inference of random inputs, calls included, built with -O2.

    Args:
        folder: The generated C.
        manifest: What lies beside it.
        toolchain: The C compiler; `find_toolchain`'s by default.
        cpu: The CPU that runs it, where it is not the one whose kernels were chosen: portable code runs on any.

    Raises:
        UsageError: The CPU has no simulator here, or no C compiler is installed.
        MissingExtraError: unicorn is not installed. CompileError: The code cannot be built.
    """
    cpu = cpu or manifest.cpu
    if not counts_for(cpu):
        raise UsageError(f"Instructions for the CPU {cpu} are not counted.", f"Count for {', '.join(COUNTED)}.")
    toolchain = toolchain or find_toolchain(cpu=_CORES[cpu.partition("+")[0]][1])
    with tempfile.TemporaryDirectory() as work:
        if _CORES[cpu.partition("+")[0]][0] == "qemu":
            return _counted_by_qemu(folder, manifest, toolchain, cpu, Path(work))
        return _counted_by_unicorn(folder, manifest, toolchain, cpu, Path(work))


def _counted_by_unicorn(folder: Path, manifest: Manifest, toolchain: Toolchain, cpu: str, work: Path) -> list[int]:
    board = load_board(_BOARD)
    constants = sum(layer.constant_bytes for layer in manifest.layers)
    flash = msgspec.structs.replace(board.memory.flash, length=_whole(constants + 2 * _MEBIBYTE))
    ram = msgspec.structs.replace(board.memory.ram, length=_whole(manifest.memory.arena + _MEBIBYTE))
    (work / "start.c").write_text(START)
    script = _SCRIPT.format(flash=hex(flash.origin), ram=hex(ram.origin), stack=hex(ram.origin + ram.length))
    elf = _build(folder.resolve(), manifest, toolchain, cpu, work, work / "start.c", script)
    simulator = Simulator(elf, msgspec.structs.replace(board, memory=Memory(flash, ram)))
    name, layers = manifest.name, len(manifest.layers)
    simulator.call(f"{name}_init")
    for index, sample in enumerate(_samples(manifest)):
        simulator.poke(simulator.call(f"{name}_input", index), sample)
    table = simulator.peek(simulator.symbols[f"{name}_layers"], layers * _ROW.size)
    return [simulator.count(run) for *_, run in _ROW.iter_unpack(table)]


def _counted_by_qemu(folder: Path, manifest: Manifest, toolchain: Toolchain, cpu: str, work: Path) -> list[int]:
    processor = RV32IMC if cpu == "rv32imc" else CORTEX_M55
    elf = _build(folder.resolve(), manifest, toolchain, cpu, work, processor.source, processor.layout, processor.flags)
    program, name = QemuCalls(elf, processor), manifest.name
    table = program.peek_at(program.symbols[f"{name}_layers"], len(manifest.layers) * _ROW.size)
    program.run()
    program.call(f"{name}_init")
    for index, sample in enumerate(_samples(manifest)):
        program.poke(f"{name}_input", index, sample)
    counts = [program.count(run) for *_, run in _ROW.iter_unpack(table.value)]
    program.run()
    return [count.instructions for count in counts]


def _samples(manifest: Manifest) -> list[bytes]:
    rng = np.random.default_rng(0)
    return [_random(tensor, rng) for tensor in manifest.inputs]


def _whole(length: int) -> int:
    return -(-length // _MEBIBYTE) * _MEBIBYTE


def _random(tensor: TensorSpec, rng: np.random.Generator) -> bytes:
    """Content of an input: any byte of whole numbers, normal numbers of floats."""
    shape = tuple(1 if size is None else size for size in tensor.shape)
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return bytes(rng.normal(size=shape).astype(dtype).tobytes())
    return rng.bytes(int(np.prod(shape)) * dtype.itemsize)


def _build(
    folder: Path,
    manifest: Manifest,
    toolchain: Toolchain,
    cpu: str,
    work: Path,
    start: Path,
    script: str,
    more: Sequence[str] = (),
) -> Path:
    common = firmware_folder() / "boards" / "common"
    (work / "sections.ld").write_text(script)
    name, _, without = cpu.partition("+")
    _, core, fpu = _CORES[name]
    machine = toolchain.machine(core, "" if without == "nofp" else fpu)
    flags = (
        *(*machine, *toolchain.optimize("2"), "-std=c99", "-ffreestanding", "-ffunction-sections", "-fdata-sections"),
        *("-w", f"-isystem{common / 'freestanding'}", f"-I{folder}", f"-I{folder / 'kernels'}"),
    )
    sources = sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".S"))
    jobs = [(source, work / f"{number}.o", flags) for number, source in enumerate(sources)]
    jobs.append((start, work / "start.o", (*flags, "-std=gnu99", *more)))
    jobs.append((common / "memory.c", work / "memory.o", flags))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(toolchain.compile, *job, work) for job in jobs]:
            done.result()
    elf = work / "counted.elf"
    keep = tuple(f"-Wl,-u,{manifest.name}_{what}" for what in ("init", "run", "input", "layers"))
    complaint = toolchain.link([output for _, output, _ in jobs], elf, (*machine, *keep), work)
    if complaint:
        raise CompileError(f"The generated C cannot be linked:\n{complaint}", "This is a fault of edgerig.")
    return elf
