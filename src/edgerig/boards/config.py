"""Generated files that describe a board and a network to C and to the linker."""

from __future__ import annotations

from pathlib import Path

from edgerig import __version__, files
from edgerig.boards.board import Board
from edgerig.boards.firmware import BuildSettings, Console, Network


def write_memory(path: Path, board: Board, network: Network, console: Console | None, flash: int, ram: int) -> None:
    """The linker's memory map, with ``flash`` and ``ram`` bytes."""
    memory = board.memory
    # A single input and output are received in the network's own buffers; several need a separate buffer.
    samples = 0 if network.tensors <= 2 else (network.sample_bytes + 8 + 7 + 7) & ~7
    if console is not None:
        samples = (console.sample_bytes + 7) & ~7
    files.write_text(
        path,
        f"er_stack_size = {memory.ram.stack};\n"
        f"er_samples_size = {samples};\n"
        "MEMORY\n{\n"
        f"  FLASH (rx) : ORIGIN = {memory.flash.origin:#x}, LENGTH = {flash}\n"
        f"  RAM (rwx) : ORIGIN = {memory.ram.origin:#x}, LENGTH = {ram}\n"
        "}\n",
    )


def write_config(
    folder: Path,
    board: Board,
    network: Network,
    settings: BuildSettings,
    build: dict[str, str],
    baud: int | None = None,
) -> None:
    """``board_config.h``, the board's description, and ``build_config.h``, the network's and the build's, for C.

    Files that include the first alone are the same in every firmware for a board. ``baud`` replaces that of its lines.
    """
    clock = settings.clock_on(board)
    wire, console = board.lines.wire, board.lines.console
    digits = board.lines.digits if settings.digits else None
    described: dict[str, str | int] = {
        "BOARD_NAME": quoted(board.name),
        "BOARD_TITLE": quoted(board.title),
        "BOARD_CPU": quoted(board.cpu.replace("cortex-m", "Cortex-M").replace("rv32imc", "RV32IMC")),
        "BOARD_ARCHITECTURE": quoted(board.architecture),
        "BOARD_HAS_FPU": int(bool(board.fpu)),
        "BOARD_CLOCK_HZ": clock,
        "BOARD_TICK_HZ": f"UINT64_C({clock})",
        "BOARD_COUNTER": quoted(f"{board.counter.name} at {clock / 1e6:g} MHz, {1e9 / clock:.3g} ns"),
        "BOARD_RAM_BYTES": board.memory.ram.length,
        "BOARD_STACK_BYTES": board.memory.ram.stack,
        "BOARD_WIRE_BASE": f"{wire.base:#x}u",
        "BOARD_WIRE_BAUD": baud or wire.baud,
        "BOARD_SILENCE_MS": board.lines.silence_ms,
        "BOARD_CONSOLE_BASE": f"{console.base:#x}u",
        "BOARD_CONSOLE_BAUD": baud or console.baud,
        "BOARD_DIGITS_BASE": f"{digits.base:#x}u" if digits is not None else 0,
        "BOARD_DIGITS_BAUD": digits.baud if digits is not None else 0,
        "BOARD_VERSION": quoted(__version__),
        "BOARD_SOFTWARE": quoted(f"edgerig-firmware {__version__}"),
    }
    pairs = ", ".join(f"{{{quoted(name)}, {quoted(value)}}}" for name, value in build.items())
    built: dict[str, str | int] = {
        "BOARD_SHAPE_WORDS": max(1, network.shape_words),
        "BOARD_TENSOR_SUM": network.tensor_sum,
        "BOARD_BOOT_SEED": f"0x{network.sha256[:8]}u",
        "BOARD_BUILD": pairs,
    }
    _write_header(folder / "board_config.h", described)
    _write_header(folder / "build_config.h", built)


def _write_header(path: Path, macros: dict[str, str | int]) -> None:
    guard = path.name.upper().replace(".", "_")
    lines = "".join(f"#define {name} {value}\n" for name, value in macros.items())
    files.write_text(path, f"#ifndef {guard}\n#define {guard}\n{lines}#endif\n")


def write_console(folder: Path, console: Console) -> None:
    """``console_config.h``: what a console of another kind must know of its network."""
    _write_header(folder / "console_config.h", console.macros)


def write_sample(path: Path, network: Network) -> None:
    """``sample.h``: the built-in sample, if there is one."""
    rows = ",".join(map(str, network.sample or b"\0"))
    files.write_text(
        path,
        "#ifndef SAMPLE_H\n#define SAMPLE_H\n#include <stdint.h>\n"
        f"static const char sample_name[] = {quoted(network.sample_name)};\n"
        f"enum {{ SAMPLE_BYTES = {len(network.sample)} }};\n"
        f"static const uint8_t sample_bytes[] = {{{rows}}};\n#endif\n",
    )


def quoted(text: str) -> str:
    """``text`` as a C string."""
    return '"' + "".join(c if 32 <= ord(c) < 127 and c not in '"\\?' else f"\\{ord(c) & 255:03o}" for c in text) + '"'
