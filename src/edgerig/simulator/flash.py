"""What lies in a board's flash after a firmware was written to it."""

from __future__ import annotations

from typing import Any

from edgerig.boards.board import Board
from edgerig.errors import TargetError


def flash_with(firmware: Any, name: str, board: Board) -> bytes:
    """The content of the whole flash, erased where the firmware has nothing.

    Args:
        firmware: The `ELFFile` of it.
        name: How messages call it.

    Raises:
        TargetError: It does not fit on ``board``.
    """
    flash = board.memory.flash
    data = bytearray(b"\xff" * flash.length)
    for segment in firmware.iter_segments():
        if segment["p_type"] != "PT_LOAD" or not segment["p_filesz"]:
            continue
        start, size = segment["p_paddr"] - flash.origin, segment["p_filesz"]
        if start < 0 or start + size > flash.length:
            raise TargetError(
                f"{name} does not fit on {board.title}: {size} B at {segment['p_paddr']:#010x}.",
                "Build the firmware for this board.",
            )
        data[start : start + size] = segment.data()
    return bytes(data)
