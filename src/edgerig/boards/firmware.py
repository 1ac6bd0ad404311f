"""The inputs of a firmware build, and its result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from edgerig.boards.board import Board
from edgerig.boards.sizes import Sizes
from edgerig.boards.toolchain import Choice
from edgerig.errors import SpecError
from edgerig.measure.firmware import ArenaBuffer
from edgerig.plugins import Settings

#: YAML and ``--target-option`` read digits as numbers.
Level = Literal["0", "1", "2", "3", "s", 0, 1, 2, 3]
ELF, BIN, MANIFEST = "firmware.elf", "firmware.bin", "firmware.json"


class BuildSettings(Settings, frozen=True, kw_only=True):
    """How a firmware is built. ``level`` is a string, however it was given."""

    compiler: Annotated[
        Choice, msgspec.Meta(description="ziglang, gcc (arm-none-eabi-gcc), or auto: the first that is installed")
    ] = "auto"
    optimize: Annotated[
        Literal["speed", "size"], msgspec.Meta(description="what decides where a faster kernel takes more flash")
    ] = "speed"
    level: Annotated[Level, msgspec.Meta(description="the C compiler's optimization, as in -O2: 0, 1, 2, 3 or s")] = "2"
    fpu: Annotated[bool, msgspec.Meta(description="use the board's FPU")] = True
    debug: Annotated[bool, msgspec.Meta(description="a build for a debugger: -Og -g")] = False
    clock_hz: Annotated[
        Annotated[int, msgspec.Meta(ge=1_000_000)] | None,
        msgspec.Meta(description="the processor's clock, where the board has several; its own by default"),
    ] = None
    overclock: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(description="a clock in MHz above the data sheet's, in place of clock_hz, at your own risk"),
    ] = None
    kernels: Annotated[
        str | None, msgspec.Meta(description="CPU to choose kernels for, such as portable; the board's by default")
    ] = None
    digits: Annotated[
        bool, msgspec.Meta(description="answer the digits' protocol on a line of its own, where the board has one")
    ] = False

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "level", str(self.level))

    def clock_on(self, board: Board) -> int:
        """The clock that firmware for ``board`` is built for, in Hz.

        Raises:
            SpecError: The board has no such clock, or two are given.
        """
        if self.overclock is None:
            board.check_clock(self.clock_hz)
            return self.clock_hz or board.clock_hz
        if self.clock_hz is not None:
            raise SpecError("clock_hz and overclock both say how fast the processor runs.", "Leave one of them out.")
        board.check_clock(self.overclock * 1_000_000, overclock=True)
        return self.overclock * 1_000_000


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A network in C, with what the firmware needs to know about it.

    Attributes:
        folder: Holds ``model.h``, C and assembly files, in folders or not.
        sha256: Of the file that it was made from.
        kernels: The CPU that its kernels were chosen for.
        optimize: Whether they were chosen for speed or for size.
        shape_words: Sum of the ranks of all inputs and outputs; ``tensors`` how many these are.
        sample_bytes: Bytes of one sample's inputs and outputs, as they travel.
        tensor_sum: Bytes of all tensors, as if none shared memory; 0 if unknown.
        sample: Inputs of the built-in sample, one after the other, or none: the board makes a ramp. ``sample_name`` is
            for people.
        takes_digits: Whether it takes 784 numbers and makes 10, of types that the digits' protocol can be had in.
        layer_shapes: For each layer the shape of its first output; None for one that only sets a state.
        arena: The plan of the arena, if known.
        macs: Multiply-accumulates of one inference, padding counted as data.
    """

    folder: str
    sha256: str
    kernels: str
    optimize: str = "speed"
    shape_words: int
    tensors: int
    sample_bytes: int
    tensor_sum: int = 0
    sample: bytes = b""
    sample_name: str = ""
    takes_digits: bool = False
    layer_shapes: tuple[tuple[int, ...] | None, ...] = ()
    arena: tuple[ArenaBuffer, ...] = ()
    macs: int = 0


class Console(msgspec.Struct, frozen=True, kw_only=True):
    """What a firmware says on its lines instead of the wire and the usual console.

    Attributes:
        name: For people, and in the build's description.
        sources: Folder of its C files, under ``firmware``.
        macros: What these find in ``console_config.h``: texts as C strings, see `edgerig.boards.config.quoted`.
        sample_bytes: Memory that it needs for a sample.
        baud: Bits a second of the board's lines.
    """

    name: str
    sources: str
    macros: dict[str, str | int]
    sample_bytes: int
    baud: int


class Firmware(msgspec.Struct, frozen=True, kw_only=True):
    """A firmware that was built: ``firmware.json`` in its folder.

    Attributes:
        folder: Holds ``firmware.elf`` and ``firmware.bin``.
        board: The board's name. ``clock_hz``: what it was built for.
        sha256: Of the network's file.
        build: The build's description in the image: compiler, flags, FPU, optimization ...
        layer_shapes, arena, macs: As of `Network`.
        console: The name of its `Console`; empty if it speaks the wire.
    """

    folder: str
    board: str
    clock_hz: int
    sha256: str
    build: dict[str, str]
    sizes: Sizes
    layer_shapes: tuple[tuple[int, ...] | None, ...] = ()
    arena: tuple[ArenaBuffer, ...] = ()
    macs: int = 0
    console: str = ""

    @property
    def elf(self) -> Path:
        """The linked file."""
        return Path(self.folder) / ELF


def read_firmware(folder: Path) -> Firmware:
    """The firmware that `build_firmware` wrote into ``folder``.

    Raises:
        SpecError: There is no firmware.
    """
    try:
        firmware = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Firmware)
    except (OSError, msgspec.MsgspecError) as error:
        raise SpecError(
            f"There is no firmware in {folder}.",
            f"Build it: edgerig firmware build --board BOARD --model MODEL --out {folder}",
        ) from error
    return msgspec.structs.replace(firmware, folder=str(folder))
