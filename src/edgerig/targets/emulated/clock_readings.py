"""What a firmware's own bookkeeping adds to every inference that it times, in QEMU's instructions.

The firmware reads its clock before and after the network and around what it copies: some 150 instructions, more than a
small network takes. They are counted in the same firmware with a network that returns at once.
"""

from __future__ import annotations

from pathlib import Path

from edgerig.boards.board import Board
from edgerig.boards.sizes import open_elf
from edgerig.errors import TargetError

#: The network's own function, as generated C calls it.
INFERENCE = "model_run"
#: The instruction that returns: ``bx lr`` of Thumb, ``c.jr ra`` of RISC-V's compressed ones.
_RETURNS = {"arm": b"\x70\x47", "riscv32": b"\x82\x80"}


def without_network(firmware: Path, board: Board, out: Path) -> Path:
    """``out``: a copy of a firmware whose network returns as soon as it is called.

    Raises:
        TargetError: It has no such function.
    """
    elf = open_elf(firmware)
    symbols = [
        symbol for table in elf.iter_sections("SHT_SYMTAB") for symbol in table.get_symbol_by_name(INFERENCE) or ()
    ]
    if not symbols:
        raise TargetError(f"{firmware} has no function {INFERENCE}.")
    address = symbols[0]["st_value"] & ~1
    data = bytearray(firmware.read_bytes())
    for segment in elf.iter_segments("PT_LOAD"):
        start = segment["p_vaddr"]
        if start <= address < start + segment["p_filesz"]:
            offset = segment["p_offset"] + address - start
            data[offset : offset + 2] = _RETURNS[board.architecture]
            out.write_bytes(data)
            return out
    raise TargetError(f"{INFERENCE} of {firmware} lies in none of its segments.")
