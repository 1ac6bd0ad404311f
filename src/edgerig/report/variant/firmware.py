"""The firmware that a network was built into, as rows."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgerig.measure.firmware import ArenaBuffer, FirmwareReport
from edgerig.measure.kinds import Measurement
from edgerig.report.figures import size_warnings
from edgerig.report.model import FirmwareView, SizeShare
from edgerig.report.units import times
from edgerig.report.values import Fact
from edgerig.results.types import CellResult

#: Largest numbers of buffers and of layers for which an arena is drawn; a larger plan would be unreadable.
MOST_BUFFERS = 2_000
MOST_LAYERS = 100_000


def firmware_view(cell: CellResult) -> FirmwareView | None:
    """The flash and RAM of each part, and how the firmware was built; None where edgerig built no firmware."""
    firmware = cell.firmware
    if isinstance(firmware, msgspec.UnsetType):
        return None
    limits = {"flash": firmware.flash_limit, "ram": firmware.ram_limit}
    return FirmwareView(
        board=firmware.board,
        totals=(
            SizeShare("flash", "flash", firmware.flash, firmware.flash / firmware.flash_limit),
            SizeShare("RAM", "ram", firmware.ram, firmware.ram / firmware.ram_limit),
        ),
        parts=tuple(_parts(firmware, limits)),
        symbols=tuple(
            SizeShare(symbol.name, symbol.place, symbol.bytes, symbol.bytes / limits[symbol.place], symbol.group)
            for symbol in firmware.symbols
        ),
        build=tuple(Fact(name.replace("_", " "), value) for name, value in firmware.build.items()),
        notes=tuple(_notes(cell)),
        warnings=size_warnings(cell),
        arena=tuple(buffer for buffer in firmware.arena[:MOST_BUFFERS] if _is_sound(buffer)),
    )


def _is_sound(buffer: ArenaBuffer) -> bool:
    """Whether a buffer of a bundle has a valid position: the bundle may come from an untrusted source."""
    return buffer.offset >= 0 and buffer.bytes > 0 and 0 <= buffer.first <= buffer.last < MOST_LAYERS


def _notes(cell: CellResult) -> Iterator[str]:
    memory = {name: quantity.value for name, quantity in cell.memory.items() if isinstance(quantity, Measurement)}
    arena, plain = memory.get("arena", 0.0), memory.get("tensor_sum", 0.0)
    if arena and plain:
        yield (
            f"The arena is planned to {arena:,.0f} B; all tensors side by side would take {plain:,.0f} B, "
            f"{times(plain / arena)} times as much."
        )
    yield from _costs(cell)
    peak, reserved = memory.get("stack_peak", 0.0), memory.get("stack_reserved", 0.0)
    if peak and reserved:
        yield f"Of {reserved:,.0f} B of stack {peak:,.0f} B were used at most."


def _costs(cell: CellResult) -> Iterator[str]:
    """Instructions and cycles for each multiply-accumulate, and whether there is a heap."""
    firmware = cell.firmware
    if isinstance(firmware, msgspec.UnsetType):
        return
    counted = [
        f"{quantity.value / firmware.macs:.2f} {quantity.unit} ({quantity.kind})"
        for quantity in (cell.instructions, cell.cycles)
        if isinstance(quantity, Measurement) and firmware.macs
    ]
    if counted:
        yield f"An inference has {firmware.macs:,} multiply-accumulates, each of which takes {' and '.join(counted)}."
    if firmware.allocators is not None:
        functions = ", ".join(firmware.allocators)
        yield (
            f"Memory may come from a heap: {functions}."
            if functions
            else ("There is no heap: no function that allocates memory is linked in.")
        )


def _parts(firmware: FirmwareReport, limits: dict[str, int]) -> list[SizeShare]:
    rows = [
        SizeShare(name, memory, size, size / limits[memory])
        for memory, groups in firmware.groups.items()
        for name, size in groups.items()
        if size
    ]
    return sorted(rows, key=lambda row: (row.place, -row.bytes))
