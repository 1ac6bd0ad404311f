"""The description of a board, out of ``firmware/boards/<name>/board.toml``."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

import edgerig
from edgerig.errors import SpecError, StorageError, UnknownNameError

#: Processors whose cycles are modelled.
CoreName = Literal["cortex-m4", "cortex-m7"]
Bytes = Annotated[int, msgspec.Meta(ge=1)]


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A memory region: its origin, its length in bytes, and how many of them are for the stack."""

    origin: Annotated[int, msgspec.Meta(ge=0)]
    length: Bytes
    stack: int = 0


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where code and constants go, and where variables and the stack."""

    flash: Region
    ram: Region


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A UART: its name in the manual, the address of its registers, bits a second.

    Attributes:
        device: What it is for QEMU, where it is none of the machine's own.
    """

    name: str
    base: int
    baud: int = 115200
    device: str = ""


class Lines(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The UART to the host, the UART of the console, and that of the digits' protocol where the board has one.

    Attributes:
        silence_ms: Milliseconds of silence in the midst of a message after which the rest counts as lost.
    """

    wire: Line
    console: Line
    digits: Line | None = None
    silence_ms: Annotated[int, msgspec.Meta(ge=1)] = 200


class Counter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The timer that the firmware measures with."""

    name: str


class Cycles(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The processor whose cycle model gives the board's times; a board without one has no times.

    Attributes:
        core: As `edgerig.simulator.cycles` knows it.
    """

    core: CoreName


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board.

    Attributes:
        name: Its folder's name, as in ``sim:<name>``.
        title: Name for people.
        cpu: As GCC calls it: ``cortex-m7``; of RISC-V the architecture: ``rv32imc``.
        fpu: As GCC calls it: ``fpv5-sp-d16``; empty if it has none.
        kernels: The CPU that kernels are chosen for; its own by default.
        clock_hz: The clock that the board is meant to run at.
        clocks_mhz: Whole numbers of MHz that it can be built for instead, each span from its first to its last; none
            if its clock is fixed.
        overclock_mhz: The most that its code can set above ``clock_hz``, outside of the data sheet; 0 if it cannot.
        sources: The board's own C files, from its folder.
        simulator: ``unicorn`` or ``qemu``; ``machine`` is the board's name there; ``qemu``: more words of its command.
        trigger: The pin that the firmware of a benchmark pulls low for a power monitor, as the board's print calls it;
            empty if its code has none.
        flash: Tool to command; ``{elf}`` and ``{bin}`` stand for the files, ``{elf:tcl}`` for one quoted for openocd.
        folder: Where the description was read from.
    """

    name: str = ""
    title: str
    cpu: Literal["cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc"]
    fpu: str = ""
    kernels: str = ""
    clock_hz: Bytes
    clocks_mhz: tuple[tuple[int, int], ...] = ()
    overclock_mhz: int = 0
    sources: tuple[str, ...]
    simulator: Literal["unicorn", "qemu", ""] = ""
    machine: str = ""
    qemu: tuple[str, ...] = ()
    memory: Memory
    lines: Lines
    counter: Counter
    cycles: Cycles | None = None
    trigger: str = ""
    flash: dict[str, tuple[str, ...]] = {}
    folder: str = ""

    @property
    def architecture(self) -> str:
        """``arm`` or ``riscv32``."""
        return "riscv32" if self.cpu.startswith("rv32") else "arm"

    def check_clock(self, clock_hz: int | None, overclock: bool = False) -> None:
        """Check that firmware can be built for that clock; the board's own, or None, is always valid.

        Args:
            overclock: Whether the clock is meant to lie above the board's own.

        Raises:
            SpecError: It cannot.
        """
        if overclock and clock_hz is not None:
            self._check_overclock(clock_hz)
            return
        if clock_hz is None or clock_hz == self.clock_hz:
            return
        own = f"{self.clock_hz / 1e6:g} MHz"
        if not self.clocks_mhz:
            raise SpecError(
                f"clock_hz: {clock_hz:,} is no clock of {self.title}, which always runs at {own}.",
                "Leave clock_hz out" + ("; sim:stm32f746 has clocks to choose." if self.simulator == "qemu" else "."),
            )
        if not any(low * 1_000_000 <= clock_hz <= high * 1_000_000 for low, high in self.clocks_mhz) or (
            clock_hz % 1_000_000
        ):
            spans = " or ".join(str(low) if low == high else f"{low} to {high}" for low, high in self.clocks_mhz)
            raise SpecError(
                f"clock_hz: {clock_hz:,} is no clock of {self.title}.",
                f"A whole number of MHz: {spans}; {own} by default."
                + (f" Above, up to {self.overclock_mhz} MHz, by `overclock`." if self.overclock_mhz else ""),
            )

    def _check_overclock(self, clock_hz: int) -> None:
        least, most = self.clock_hz // 1_000_000 + 1, self.overclock_mhz
        if not most:
            raise SpecError(f"overclock: {self.title} cannot be overclocked.", "Leave overclock out.")
        if not least <= clock_hz / 1_000_000 <= most:
            raise SpecError(
                f"overclock: {clock_hz / 1e6:g} MHz is not between {least} and {most} MHz, which {self.title} can be "
                "overclocked to.",
                f"Up to {self.clock_hz / 1e6:g} MHz by clock_hz.",
            )


def firmware_folder() -> Path:
    """The folder ``firmware`` with the C sources: beside the package where it is installed, else of the checkout.

    Raises:
        StorageError: It is in neither place.
    """
    package = Path(edgerig.__file__).parent
    for folder in (package / "firmware", package.parent.parent / "firmware"):
        if (folder / "core" / "er_core.c").is_file():
            return folder
    raise StorageError(
        f"The firmware's sources are not in {package / 'firmware'}.", "Install edgerig again: its package is broken."
    )


def board_names(simulator: str | None = None) -> list[str]:
    """The names of all boards, or of those with that ``simulator``; sorted."""
    names = sorted(path.parent.name for path in (firmware_folder() / "boards").glob("*/board.toml"))
    return [name for name in names if simulator is None or load_board(name).simulator == simulator]


def load_board(name: str) -> Board:
    """The board called ``name``, or described in the folder ``name``, which then has a slash in it.

    Raises:
        UnknownNameError: There is none of that name.
        SpecError: Its description is not valid; says where.
    """
    if "/" in name and (Path(name) / "board.toml").is_file():
        return read_board(Path(name).resolve() / "board.toml")
    path = firmware_folder() / "boards" / name / "board.toml"
    if not name or Path(name).name != name or not path.is_file():
        raise UnknownNameError("board", name, board_names())
    return read_board(path)


def read_board(path: Path) -> Board:
    """The board that the file ``path`` describes; it is called as its folder.

    Raises:
        SpecError: The description is not valid.
    """
    try:
        board = _described(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SpecError(
            f"{path} does not describe a board: {error}.",
            "docs/boards.md tells what stands in it: see A board of your own.",
        ) from error
    return msgspec.structs.replace(
        board, name=path.parent.name, folder=str(path.parent), kernels=board.kernels or board.cpu
    )


@lru_cache(64)
def _described(text: str) -> Board:
    return msgspec.convert(tomllib.loads(text), Board)
