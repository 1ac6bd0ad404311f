"""From a network in C to a firmware for a board."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgerig import __version__, files
from edgerig.boards.board import Board, firmware_folder
from edgerig.boards.config import write_config, write_console, write_memory, write_sample
from edgerig.boards.firmware import BIN, ELF, MANIFEST, BuildSettings, Console, Firmware, Network, read_firmware
from edgerig.boards.network import check_digits, check_kernels
from edgerig.boards.objects import files_read
from edgerig.boards.sizes import measure, open_elf, table
from edgerig.boards.toolchain import Toolchain, find_toolchain, is_riscv
from edgerig.cache import StageCache
from edgerig.errors import CompileError, UsageError, storing

#: Memory sizes of an unlimited board, for linking a network that is too large, to report by how much.
ENDLESS = 1 << 27
#: Files of every board that a console of another kind replaces.
_SPEAK_THE_WIRE = frozenset({"main.c", "console.c", "network.c"})
_SOURCES = frozenset({".c", ".h", ".S", ".s", ".inc", ".ld", ".toml", ".py"})


class _Parts(NamedTuple):
    """What a firmware is built of and with."""

    board: Board
    network: Network
    settings: BuildSettings
    toolchain: Toolchain
    console: Console | None


def build_firmware(
    board: Board,
    network: Network,
    out: Path | None,
    settings: BuildSettings | None = None,
    log: Callable[[str], None] = lambda text: None,
    console: Console | None = None,
) -> Firmware:
    """Compile and link the firmware of ``board`` with ``network`` inside, into the folder ``out``.

    A firmware built before from the same sources is taken from the cache, after checking its files. If one is damaged,
    ``log`` is called and it is rebuilt. Without ``out`` it stays in the cache only. With a ``console`` the lines belong
    to that, and the firmware does not speak the wire.

    Raises:
        SpecError: The board has no such clock. IncompatibleError: The network's kernels do not run on it.
        UsageError: The compiler is not installed, or digits are to be answered beside a ``console``.
        CompileError: It refused something, or the firmware does not fit; then with a table of what takes how much.
        StorageError: ``out`` cannot be written.
    """
    settings = settings or BuildSettings()
    settings.clock_on(board)
    check_kernels(board, network, settings)
    if settings.digits:
        if console is not None:
            raise UsageError(f"A firmware that speaks {console.name} does not answer digits.", "Leave one of them out.")
        check_digits(board, network)
    parts = _Parts(board, network, settings, find_toolchain(settings.compiler, board.cpu), console)
    stage, _ = StageCache(files.cache_folder() / "firmware").get_or_build(
        _key(parts),
        lambda work: _build_into(work, parts),
        damaged=lambda fault: log(f"the firmware in the cache is damaged ({fault}); it is built anew"),
    )
    firmware = read_firmware(stage)
    if out is None:
        return firmware
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name in (ELF, BIN):
            with files.atomic_path(out / name) as temporary:
                shutil.copyfile(stage / name, temporary)
    firmware = msgspec.structs.replace(firmware, folder=str(out))
    files.write_json(out / MANIFEST, msgspec.structs.replace(firmware, folder="."))
    return firmware


def _build_into(work: Path, parts: _Parts) -> None:
    """Build in the empty folder ``work``."""
    board, network, settings, _, console = parts
    build = _manifest(parts)
    objects = _compile_all(work, parts, build)
    elf = work / ELF
    _link(elf, objects, work, parts)
    sizes = measure(elf, objects, board)
    files.write_bytes(work / BIN, image(elf, board))
    firmware = Firmware(
        folder=".",
        board=board.name,
        clock_hz=settings.clock_on(board),
        sha256=network.sha256,
        build=build,
        sizes=sizes,
        layer_shapes=network.layer_shapes,
        arena=network.arena,
        macs=network.macs,
        console=console.name if console is not None else "",
    )
    files.write_json(work / MANIFEST, firmware)
    shutil.rmtree(work / "objects")


def image(elf_file: Path, board: Board) -> bytes:
    """The bytes of the flash, from its beginning to the last one that is used.

    Raises:
        CompileError: Something is to be loaded to where the board has no flash.
    """
    data, flash = bytearray(), board.memory.flash
    for segment in open_elf(elf_file).iter_segments():
        if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
            start = segment["p_paddr"] - flash.origin
            if not 0 <= start <= flash.length - segment["p_filesz"]:
                raise CompileError(
                    f"{segment['p_filesz']:,} bytes of the firmware are to be loaded to {segment['p_paddr']:#x}, where "
                    f"{board.title} has no flash.",
                    "Nothing calls constructors or fills sections of your own: take plain functions and variables.",
                )
            data.extend(b"\xff" * (start + segment["p_filesz"] - len(data)))
            data[start : start + segment["p_filesz"]] = segment.data()
    return bytes(data)


def _compile_all(work: Path, parts: _Parts, build: dict[str, str]) -> list[Path]:
    board, network, settings, toolchain, console = parts
    objects = work / "objects"
    include = work / "include"
    with storing(work):
        objects.mkdir()
        include.mkdir()
    write_config(include, board, network, settings, build, None if console is None else console.baud)
    write_sample(include / "sample.h", network)
    if console is not None:
        write_console(include, console)
    flags = compile_flags(board, network, settings, toolchain, include)
    jobs = [
        (source, objects / f"{group}-{number}-{source.stem}.o", (*flags, *optimization(settings, toolchain, group)))
        for number, (group, source) in enumerate(sources(board, network, console, digits=settings.digits))
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(toolchain.compile, *job, work) for job in jobs]:
            done.result()
    return [output for _, output, _ in jobs]


def sources(
    board: Board, network: Network, console: Console | None = None, *, digits: bool = False
) -> Iterable[tuple[str, Path]]:
    """Group and path of every file of the firmware."""
    firmware, folder = firmware_folder(), Path(network.folder)
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".S", ".s")):
        yield ("weights" if path.stem.startswith("weights") else "network"), path
    if digits:
        yield from (("wire", path) for path in sorted((firmware / "digits").glob("*.c")))
        yield from (("board", path) for path in sorted((firmware / "boards" / "digits").glob("*.c")))
    group, spoken = ("wire", "core") if console is None else ("console", console.sources)
    for path in sorted((firmware / spoken).glob("*.c")):
        yield group, path
    for path in sorted((firmware / "boards" / "common").glob("*.c")):
        if console is None or path.name not in _SPEAK_THE_WIRE:
            yield "board", path
    family = "riscv" if is_riscv(board.cpu) else "cortex_m"
    yield from (("board", path) for path in sorted((firmware / "boards" / "common" / family).glob("*.c")))
    for name in board.sources:
        yield "board", (Path(board.folder) / name).resolve()


def compile_flags(
    board: Board, network: Network, settings: BuildSettings, toolchain: Toolchain, include: Path
) -> tuple[str, ...]:
    """The flags of every file, but for `optimization`."""
    common = firmware_folder() / "boards" / "common"
    return (
        *machine_flags(board, settings, toolchain),
        "-std=c99",
        "-ffreestanding",
        "-ffunction-sections",
        "-fdata-sections",
        "-fno-unwind-tables",
        "-fno-asynchronous-unwind-tables",
        f"-I{include}",
        f"-I{network.folder}",
        f"-I{common}",
        f"-isystem{common / 'freestanding'}",
    )


def machine_flags(board: Board, settings: BuildSettings, toolchain: Toolchain) -> tuple[str, ...]:
    """The flags for the processor."""
    return toolchain.machine(board.cpu, board.fpu if settings.fpu else "")


def optimization(settings: BuildSettings, toolchain: Toolchain, group: str = "network") -> tuple[str, ...]:
    """The optimization flags. Code outside of the inference is optimized for size."""
    if settings.debug:
        return *toolchain.optimize("g"), "-g"
    small = group not in ("network", "weights") and settings.level != "0"
    return toolchain.optimize("s" if small else str(settings.level))


def _link(elf: Path, objects: list[Path], work: Path, parts: _Parts) -> None:
    """Link for the board's memory; if that is too small, link again without limits, for the size table."""
    board, network, settings, toolchain, console = parts
    shutil.copyfile(firmware_folder() / "boards" / "common" / "sections.ld", work / "sections.ld")
    flags = machine_flags(board, settings, toolchain)
    memory = board.memory
    write_memory(work / "memory.ld", board, network, console, memory.flash.length, memory.ram.length)
    complaint = toolchain.link(objects, elf, flags, work)
    if not complaint:
        return
    write_memory(work / "memory.ld", board, network, console, ENDLESS, ENDLESS)
    if toolchain.link(objects, elf, flags, work):
        raise CompileError(f"{toolchain.version} cannot link the firmware:\n{complaint}", "This is a fault of edgerig.")
    sizes = measure(elf, objects, board)
    if sizes.fits:
        raise CompileError(f"{toolchain.version} cannot link the firmware:\n{complaint}", "This is a fault of edgerig.")
    raise CompileError(
        f"The firmware does not fit on {board.title}:\n{table(sizes)}",
        "Quantize the network to int8, choose a smaller one, build with `optimize: size`, or take another board.",
    )


def _manifest(parts: _Parts) -> dict[str, str]:
    """The description of the build that is stored in the image."""
    board, network, settings, toolchain, console = parts
    fpu = "none" if not board.fpu else board.fpu if settings.fpu else "off"
    flags = (*machine_flags(board, settings, toolchain), *optimization(settings, toolchain))
    clock = settings.clock_on(board)
    beyond = {"overclocked": f"{clock / 1e6:g} of {board.clock_hz / 1e6:g} MHz"} if clock > board.clock_hz else {}
    return {
        "board": board.name,
        "compiler": toolchain.version,
        "flags": " ".join(flags),
        "fpu": fpu,
        "optimization": "-Og" if settings.debug else f"-O{settings.level}",
        "debug": "yes" if settings.debug else "no",
        "clock_hz": str(clock),
        "board_clock_hz": str(board.clock_hz),
        **beyond,
        "kernels": f"{network.kernels}, {network.optimize}",
        "edgerig": __version__,
        **({"console": console.name} if console is not None else {}),
    }


def _key(parts: _Parts) -> str:
    board, network, settings, toolchain, console = parts
    spoken = console.sources if console is not None else "core"
    digests = [
        _digest_of(Path(board.folder), (".",)).encode(),
        files.digest([board, settings, toolchain, msgspec.structs.replace(network, folder="")]).encode(),
        files.digest([console]).encode(),
        _digest_of(firmware_folder(), (spoken, "boards", "digits")).encode(),
        _digest_of(Path(network.folder), (".",)).encode(),
        # The compiler's command line affects the result.
        _digest_of(Path(__file__).parent, (".",)).encode(),
        files.digest(_outside(board)).encode(),
    ]
    return files.sha256(b" ".join(digests))[:32]


def _outside(board: Board) -> list[str]:
    """SHA-256 of the board's own sources that lie outside of its folder, and of what these include."""
    folder, common = Path(board.folder).resolve(), firmware_folder() / "boards" / "common"
    paths: set[Path] = set()
    for name in board.sources:
        source = (folder / name).resolve()
        if source.is_file():
            paths |= files_read(source, (f"-I{common}",))
    return [files.sha256_file(path) for path in sorted(paths) if not path.resolve().is_relative_to(folder)]


def _digest_of(folder: Path, parts: tuple[str, ...]) -> str:
    paths = sorted(path for part in parts for path in (folder / part).rglob("*") if path.suffix in _SOURCES)
    stamp = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
    return _digest_of_files(stamp, str(folder))


@lru_cache(256)
def _digest_of_files(stamp: tuple[tuple[str, int, int], ...], folder: str) -> str:
    return files.digest({str(Path(path).relative_to(folder)): files.sha256_file(Path(path)) for path, _, _ in stamp})
