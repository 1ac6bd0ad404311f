"""Unaligned word accesses that fault on a Cortex-M, but not in unicorn.

A single word may lie anywhere. The instructions that load or store several words, or floats, fault unless their address
is a multiple of four (Armv7-M Architecture Reference Manual, A3.2.1). In all of them that is so where it is so of the
register that they name, so the look is at instructions, not at accesses: with a hook on accesses unicorn 2.1 gets table
branches wrong. It makes the simulation slower, so it is switched on for a while and off again.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from edgerig.simulator.native import add_hook, address_of, native_library, remove_hook

_LINK = 14
#: Stack pointer and program counter, whose lowest bits are 0 or ignored: no check.
_ALWAYS_ALIGNED = (13, 15)


class Alignment:
    """Watches in Python.

    Args:
        engine: Unicorn's.
        code: The bytes of the flash, which begins at ``origin``.
    """

    def __init__(self, engine: Any, code: bytes, origin: int) -> None:
        self._engine, self._code, self._origin = engine, code, origin
        self._fault: tuple[int, int] | None = None
        self._hook: int | None = None

    def switch(self, on: bool) -> None:
        """Switch the check on or off."""
        if on == (self._hook is not None):
            return
        if self._hook is None:
            self._hook = self._attach()
        else:
            self._detach(self._hook)
            self._hook = None
        # Blocks that are translated already ignore hook changes, so flush the cache.
        self._engine.ctl_flush_tb()

    def take(self) -> tuple[int, int] | None:
        """The first access that was refused since this was asked last: its instruction, and what the register held."""
        fault, self._fault = self._fault, None
        return fault

    def _attach(self) -> int:
        from unicorn import UC_HOOK_CODE

        return int(self._engine.hook_add(UC_HOOK_CODE, self._on_instruction))

    def _detach(self, hook: int) -> None:
        self._engine.hook_del(hook)

    def _on_instruction(self, engine: Any, address: int, size: int, _: object) -> None:
        offset = address - self._origin
        if self._fault or not 0 <= offset <= len(self._code) - size:
            return
        base = _strict_register(int.from_bytes(self._code[offset : offset + 2], "little"))
        if base is None:
            return
        from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_R0

        value = engine.reg_read(UC_ARM_REG_LR if base == _LINK else UC_ARM_REG_R0 + base)
        if value & 3:
            self._fault = (address, value)
            engine.emu_stop()


def _strict_register(half: int) -> int | None:
    """The register that must hold a multiple of four for the instruction that begins with this half word."""
    base = half & 15
    if half >> 12 == 0xC:  # LDM, STM of two bytes
        return half >> 8 & 7
    if half >> 9 == 0x74:
        # LDM, STM, LDRD, STRD, LDREX, STREX, but not their neighbours TBB, TBH and what is exclusive of less than a
        # word.
        return None if half & 0xFFE0 == 0xE8C0 or base in _ALWAYS_ALIGNED else base
    if half >> 9 == 0x76:  # VLDR, VSTR, VLDM, VSTM, but not VMOV of two registers
        return None if half & 0xFFE0 == 0xEC40 or base in _ALWAYS_ALIGNED else base
    return None


class _State(ctypes.Structure):
    """``struct alignment`` of alignment.c."""

    _fields_ = (
        ("origin", ctypes.c_uint64), ("length", ctypes.c_uint64), ("code", ctypes.c_void_p),
        ("read_register", ctypes.c_void_p), ("stop", ctypes.c_void_p),
        ("found", ctypes.c_uint64), ("at", ctypes.c_uint64), ("accessed", ctypes.c_uint64),
    )  # fmt: skip


class NativeAlignment(Alignment):
    """Watches in C.

    Args:
        library: ``alignment.c``, by `native_library`.
    """

    def __init__(self, engine: Any, code: bytes, origin: int, library: ctypes.CDLL) -> None:
        super().__init__(engine, code, origin)
        self._bytes = np.frombuffer(code, np.uint8)
        self._library = library
        self._state = _State(origin=origin, length=len(code), code=self._bytes.ctypes.data)

    def take(self) -> tuple[int, int] | None:
        fault = (int(self._state.at), int(self._state.accessed)) if self._state.found else None
        self._state.found = 0
        return fault

    def _attach(self) -> int:
        from unicorn import UC_HOOK_CODE
        from unicorn.unicorn_py3.unicorn import uclib

        self._state.read_register = address_of(uclib.uc_reg_read).value
        self._state.stop = address_of(uclib.uc_emu_stop).value
        return add_hook(self._engine, UC_HOOK_CODE, self._library.edgerig_on_instruction, self._state)

    def _detach(self, hook: int) -> None:
        remove_hook(self._engine, hook)


def make_alignment(engine: Any, code: bytes, origin: int) -> Alignment:
    """The fastest one that there is on this machine."""
    library = native_library("alignment")
    return Alignment(engine, code, origin) if library is None else NativeAlignment(engine, code, origin, library)
