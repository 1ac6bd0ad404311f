"""Figures of a firmware: what takes how much flash and RAM, and what an emulator counted."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Quantity, Unavailable

_NOT_COUNTED = Unavailable("its instructions were not counted")


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What an emulator counted while it ran a network.

    Attributes:
        instructions: Of one inference.
        cycles: What the target's cycle model makes of them.
        load: Instructions from the reset to where the firmware waits for the host.
        first: Instructions of the first inference.
        tick: Instructions of one tick of the counter behind ``instructions``, which are known no better; 1 where each
            is counted.
    """

    instructions: Quantity
    cycles: Quantity
    load: Quantity = _NOT_COUNTED
    first: Quantity = _NOT_COUNTED
    tick: float = 1.0


class SymbolSize(msgspec.Struct, frozen=True):
    """A function, constant or variable of a firmware: its bytes, ``flash`` or ``ram``, and what it belongs to."""

    name: str
    place: str
    bytes: int
    group: str


class ArenaBuffer(msgspec.Struct, frozen=True):
    """A buffer of a planned arena: bytes from ``offset`` on, needed from layer ``first`` to layer ``last``."""

    name: str
    offset: int
    bytes: int
    first: int
    last: int


class FirmwareReport(msgspec.Struct, frozen=True, kw_only=True):
    """The firmware that a network runs in.

    Attributes:
        board: The board's name for people.
        build: What stands in the image: compiler, flags, FPU, optimization, clock ...
        flash, ram: Bytes that are taken; ``flash_limit`` and ``ram_limit``: that there are.
        groups: ``flash`` and ``ram``: bytes by what they belong to: weights, network, wire, board, stack ...
        symbols: The largest first.
        arena: The plan of the network's arena; none where it is not known.
        macs: Multiply-accumulates of one inference; 0 where they are not known.
        allocators: Functions in the image that allocate memory; None where nobody looked.
    """

    board: str
    build: dict[str, str]
    flash: int
    flash_limit: int
    ram: int
    ram_limit: int
    groups: dict[str, dict[str, int]]
    symbols: tuple[SymbolSize, ...]
    arena: tuple[ArenaBuffer, ...] = ()
    macs: int = 0
    allocators: tuple[str, ...] | None = None
