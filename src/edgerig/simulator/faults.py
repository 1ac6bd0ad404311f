"""What stops the simulated processor out of turn: its own faults."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from edgerig.boards.board import Region


class Fault(msgspec.Struct, frozen=True):
    """What went wrong, and where: the address, and the function that it lies in."""

    what: str
    pc: int
    function: str
    address: int | None = None

    def __str__(self) -> str:
        at = f" of {self.address:#010x}" if self.address is not None else ""
        return f"HardFault: {self.what}{at} at {self.pc:#010x} in {self.function}"


def stack_exception_frame(engine: Any, pc: int, ram: Region) -> None:
    """Push what a Cortex-M pushes before it enters a handler, and let the link register lead back out of it.

    Armv7-M Architecture Reference Manual, B1.5.6. A stack that has left the ``ram`` gets none.
    """
    from unicorn import arm_const as registers

    names = ("R0", "R1", "R2", "R3", "R12", "LR")
    values = [engine.reg_read(getattr(registers, f"UC_ARM_REG_{name}")) for name in names]
    stack = (engine.reg_read(registers.UC_ARM_REG_SP) - 32) & ~7
    if ram.origin <= stack < ram.origin + ram.length - 32:
        engine.mem_write(stack, struct.pack("<8I", *values, pc, engine.reg_read(registers.UC_ARM_REG_XPSR)))
    engine.reg_write(registers.UC_ARM_REG_SP, stack)
    engine.reg_write(registers.UC_ARM_REG_LR, 0xFFFF_FFF9)


def kind_of_access(access: int) -> str:
    """What an access was for that unicorn refused, by its ``UC_MEM_`` number."""
    import unicorn

    kinds = {
        unicorn.UC_MEM_READ_UNMAPPED: "read",
        unicorn.UC_MEM_WRITE_UNMAPPED: "write",
        unicorn.UC_MEM_FETCH_UNMAPPED: "execution",
        unicorn.UC_MEM_WRITE_PROT: "write",
        unicorn.UC_MEM_READ_PROT: "read",
        unicorn.UC_MEM_FETCH_PROT: "execution",
    }
    return kinds.get(access, "access")
