"""What takes how much flash and RAM in a firmware, by symbol."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from edgerig.boards.board import Board
from edgerig.errors import ModelError, UsageError
from edgerig.install import install_command

Place = Literal["flash", "ram"]
#: Group of a symbol, by the folder or name of its source file.
GROUPS = ("weights", "network", "wire", "console", "board", "sample", "library")

#: Functions of C's and C++'s libraries that take memory from a heap, and what newlib grows it by.
ALLOCATORS = frozenset({
    "malloc", "calloc", "realloc", "aligned_alloc", "memalign", "_malloc_r", "_sbrk", "_sbrk_r", "sbrk",
    "_Znwj", "_Znaj",
})  # fmt: skip


#: An entry of a symbol table, by the bits of a word, and what its numbers mean.
_FIELDS = {32: "<IIIBBH", 64: "<IBBHQQ"}
_UNDEFINED, _OBJECT, _FUNCTION = 0, 1, 2


class _Entry(NamedTuple):
    """An entry of a symbol table; ``section`` is the number of the one that it lies in."""

    name: str
    value: int
    size: int
    kind: int
    section: int


class Symbol(msgspec.Struct, frozen=True):
    """A function, constant or variable. Initialized variables take flash and RAM, and are listed twice."""

    name: str
    place: Place
    bytes: int
    group: str
    code: bool = False


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one firmware.

    Attributes:
        flash, ram: Bytes used, stack included; ``flash_limit`` and ``ram_limit``: bytes available.
        groups: Place to group to bytes; what has no symbol of its own, such as texts, is ``unnamed``.
        code: Bytes of functions in flash, by group.
        stack: Bytes of RAM set aside for the stack.
        symbols: Largest first.
    """

    flash: int
    ram: int
    flash_limit: int
    ram_limit: int
    groups: dict[str, dict[str, int]]
    code: dict[str, int]
    stack: int
    symbols: tuple[Symbol, ...]

    @property
    def fits(self) -> bool:
        """Whether the board has room for it."""
        return self.flash <= self.flash_limit and self.ram <= self.ram_limit


def open_elf(path: Path) -> Any:
    """The ELF file ``path``, read whole.

    Raises:
        UsageError: pyelftools is not installed. ModelError: it is no ELF file for a little-endian ARM or RISC-V.
    """
    import io

    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise UsageError(
            "Reading firmware needs pyelftools, which is not installed.", install_command("boards")
        ) from error
    try:
        elf = ELFFile(io.BytesIO(path.read_bytes()))
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}.") from error
    except (ELFError, ValueError) as error:
        raise ModelError(f"{path} is no ELF file: {error}.") from error
    if elf.get_machine_arch() not in ("ARM", "RISC-V") or not elf.little_endian:
        raise ModelError(f"{path} is not for a little-endian ARM or RISC-V processor.")
    return elf


def named(elf: Any) -> dict[str, int]:
    """Every symbol's address by its name; of functions without the bit that says Thumb."""
    addresses = {}
    for symbol in _symbols(elf):
        addresses[symbol.name] = symbol.value & ~1 if symbol.kind == _FUNCTION else symbol.value
    return addresses


def allocators(elf_file: Path) -> tuple[str, ...]:
    """The functions of a linked firmware that allocate memory while it runs: without one there is no heap."""
    return tuple(sorted(name for _, _, name in functions(open_elf(elf_file)) if name in ALLOCATORS))


def functions(elf: Any) -> list[tuple[int, int, str]]:
    """Address, bytes and name of every function, by address."""
    return sorted((symbol.value & ~1, symbol.size, symbol.name) for symbol in _symbols(elf) if symbol.kind == _FUNCTION)


def measure(elf_file: Path, objects: Iterable[Path], board: Board) -> Sizes:
    """The sizes of a linked firmware.

    Args:
        objects: The object files that it was linked from, each named ``<group>-<source>.o``.
    """
    elf = open_elf(elf_file)
    origin = _origins(objects)
    memory = board.memory
    places = _sections(elf, board)
    symbols: dict[tuple[str, int], Symbol] = {}
    for symbol in _symbols(elf):
        size = symbol.size
        if not size or symbol.section not in places:
            continue
        group = origin.get((symbol.name, size)) or origin.get((symbol.name, 0)) or "library"
        group = "sample" if symbol.name.startswith("sample_") else group
        code = symbol.kind == _FUNCTION
        for region in places[symbol.section]:
            symbols[f"{symbol.name} {region}", symbol.value] = Symbol(symbol.name, region, size, group, code)
    ordered = tuple(sorted(symbols.values(), key=lambda symbol: (-symbol.bytes, symbol.place, symbol.name)))
    where = named(elf)
    stack = where["er_stack_top"] - where["er_stack_bottom"]
    loaded = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]]
    flash = max(segment["p_paddr"] + segment["p_filesz"] for segment in loaded) - memory.flash.origin
    # The area after er_free holds samples: the least for one of them counts as used.
    ram = where["er_free"] - memory.ram.origin + where["er_samples_size"]
    totals: dict[Place, int] = {"flash": flash, "ram": ram - stack}
    groups = {region: _sums(ordered, region, total) for region, total in totals.items()}
    groups["ram"]["stack"] = stack
    groups["ram"]["sample"] += where["er_samples_size"]
    groups["ram"]["unnamed"] = groups["ram"].get("unnamed", 0) - where["er_samples_size"]
    return Sizes(
        flash=flash,
        ram=ram,
        flash_limit=memory.flash.length,
        ram_limit=memory.ram.length,
        stack=stack,
        groups={str(region): sums for region, sums in groups.items()},
        symbols=ordered,
        code=_sums([symbol for symbol in ordered if symbol.code], "flash", 0),
    )


def table(sizes: Sizes, most: int = 12, width: int | None = None) -> str:
    """The sizes as text: places, groups, and the largest symbols of each; in lines of ``width`` characters, if given.

    A line that would be longer is folded behind its name: no figure is cut.
    """
    lines = []
    for region, total, limit in (
        ("flash", sizes.flash, sizes.flash_limit),
        ("ram", sizes.ram, sizes.ram_limit),
    ):
        over = total - limit
        verdict = f"{over:,} B too much" if over > 0 else f"{total / limit:.1%}"
        lines += _row(f"{region:<8}", f"{total:>12,} B of {limit:,} B  ({verdict})", width)
        for group, amount in sorted(sizes.groups[region].items(), key=lambda item: -item[1]):
            if amount:
                code = sizes.code.get(group, 0) if region == "flash" else 0
                of_code = f"  ({code:,} B of it code)" if code else ""
                lines += _row(f"  {group:<34}", f"{amount:>12,} B{of_code}", width)
        lines.append("  the largest:")
        for symbol in [symbol for symbol in sizes.symbols if symbol.place == region][:most]:
            lines += _row(f"    {symbol.name[:40]:<42}", f"{symbol.bytes:>10,} B  {symbol.group}", width)
    return "\n".join(lines)


def _row(name: str, figures: str, width: int | None) -> list[str]:
    """A line of the table, or two: the figures below the name, indented by two more."""
    if width is None or len(name) + len(figures) <= width:
        return [name + figures]
    indent = " " * (len(name) - len(name.lstrip()) + 2)
    return [name.rstrip(), *textwrap.wrap(figures.strip(), width, initial_indent=indent, subsequent_indent=indent)]


def _symbols(elf: Any) -> list[_Entry]:
    """The named entries of a file's symbol table.

    Unpacked here: pyelftools makes objects of every field, which takes longer than linking the file.
    """
    table = elf.get_section_by_name(".symtab")
    if table is None:
        raise ModelError("The firmware has no symbols: it was stripped.", "Use the file that the build made.")
    texts = elf.get_section(table["sh_link"]).data()
    entries = []
    for fields in struct.iter_unpack(_FIELDS[elf.elfclass], table.data()):
        if elf.elfclass == 64:
            start, info, _, section, value, size = fields
        else:
            start, value, size, info, _, section = fields
        name = texts[start : texts.index(0, start)].decode(errors="replace")
        # $t, $d and $a are mapping symbols that mark code and data.
        if name and not name.startswith("$"):
            entries.append(_Entry(name, value, size, info & 15, section))
    return entries


def _sections(elf: Any, board: Board) -> dict[int, tuple[Place, ...]]:
    """The memory regions of each section that is placed on the board."""
    ram, regions = board.memory.ram, {}
    for index, section in enumerate(elf.iter_sections()):
        if not section["sh_flags"] & 2 or not section["sh_size"]:
            continue
        variable = ram.origin <= section["sh_addr"] < ram.origin + (1 << 28) and section["sh_addr"] >= ram.origin
        places: tuple[Place, ...] = ("ram",) if variable else ("flash",)
        if variable and section["sh_type"] == "SHT_PROGBITS":
            places = ("ram", "flash")
        regions[index] = places
    return regions


def _origins(objects: Iterable[Path]) -> dict[tuple[str, int], str]:
    """From a symbol's name and size, or its name and 0, to the group of the file that defines it."""
    groups: dict[tuple[str, int], str] = {}
    for path in objects:
        group = path.name.split("-", 1)[0]
        for symbol in _symbols(open_elf(path)):
            if symbol.section != _UNDEFINED and symbol.kind in (_FUNCTION, _OBJECT):
                groups[symbol.name, symbol.size] = group
                groups.setdefault((symbol.name, 0), group)
    return groups


def _sums(symbols: Iterable[Symbol], region: Place, total: int) -> dict[str, int]:
    sums = dict.fromkeys(GROUPS, 0)
    for symbol in symbols:
        if symbol.place == region:
            sums[symbol.group] += symbol.bytes
    rest = total - sum(sums.values())
    return {**sums, "unnamed": rest} if rest > 0 else sums
