"""The firmware that a network was built into, as rows."""

from __future__ import annotations

import msgspec

from edgerig.report.model import Fact, FirmwareView, Taken
from edgerig.results.types import CellResult
from edgerig.targets.base import FirmwareReport


def firmware_view(cell: CellResult) -> FirmwareView | None:
    """What takes how much flash and RAM, and how it was built; None where edgerig built no firmware."""
    firmware = cell.firmware
    if isinstance(firmware, msgspec.UnsetType):
        return None
    limits = {"flash": firmware.flash_limit, "ram": firmware.ram_limit}
    return FirmwareView(
        board=firmware.board,
        totals=(
            Taken("flash", "flash", firmware.flash, firmware.flash / firmware.flash_limit),
            Taken("RAM", "ram", firmware.ram, firmware.ram / firmware.ram_limit),
        ),
        parts=tuple(_parts(firmware, limits)),
        symbols=tuple(
            Taken(one.name, one.place, one.bytes, one.bytes / limits[one.place], one.group) for one in firmware.symbols
        ),
        build=tuple(Fact(name.replace("_", " "), value) for name, value in firmware.build.items()),
    )


def _parts(firmware: FirmwareReport, limits: dict[str, int]) -> list[Taken]:
    rows = [
        Taken(name, place, size, size / limits[place])
        for place, groups in firmware.groups.items()
        for name, size in groups.items()
        if size
    ]
    return sorted(rows, key=lambda row: (row.place, -row.bytes))
