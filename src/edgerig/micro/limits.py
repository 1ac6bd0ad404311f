"""What no microcontroller holds, and is refused before anything is computed."""

from __future__ import annotations

from edgerig.errors import CompileError

#: Bytes of constants that are written as C; their text takes up to six times as much.
LARGEST_CONSTANTS = 1 << 26


def check_size(nbytes: int, name: str) -> None:
    """Refuse constants that no microcontroller holds, before they become text.

    Raises:
        CompileError: They take more than `LARGEST_CONSTANTS`.
    """
    if nbytes > LARGEST_CONSTANTS:
        raise CompileError(
            f"{name} has {nbytes:,} B of constants, and generated C holds {LARGEST_CONSTANTS:,} B at most.",
            "No microcontroller has room for more: make the network smaller.",
        )
