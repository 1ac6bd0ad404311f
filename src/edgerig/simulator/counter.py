"""Counting a simulated processor's instructions and modelled cycles: all, by function, and those of single calls.

Unicorn tells of every basic block before it runs. `Counter` takes it down in Python; `NativeCounter` does the same in C
(``counter.c``), and is used wherever a C compiler is found. What a block costs is worked out once, by `Core.block`.

The counter also stops the processor, since the beginning of a block is where unicorn can be stopped exactly. Stopped in
a callback of a register, or from another thread, it runs the block to its end, and runs it once more when it goes on:
what the block sent or took is sent or taken twice.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.simulator.cores import Core
from edgerig.simulator.native import add_hook, address_of, native_library

_FRAMES, _CALLS = 64, 65536
#: What Python and C count, roughly.
_BLOCKS_PER_SECOND, _NATIVE_BLOCKS_PER_SECOND = 300_000, 20_000_000
_NO_LIMIT = (1 << 64) - 1
#: Words whose highest five bits are these begin an instruction of four bytes: Armv7-M Architecture Reference Manual,
#: A5.1.
_WIDE = 0x1D


class Call(msgspec.Struct, frozen=True):
    """One call of a watched function: where it begins, and what it took until it returned, callees included."""

    address: int
    instructions: int
    cycles: int


class Counter:
    """Counts in Python.

    Args:
        code: The bytes of the flash, which begins at ``origin``.
        core: Whose cycles are modelled; None counts one an instruction, which is no time of any processor.
    """

    def __init__(self, code: bytes, origin: int, core: Core | None = None) -> None:
        self._code, self._origin, self._core = code, origin, core
        self._total = self._cycles = 0
        self._blocks: dict[tuple[int, int], tuple[int, int]] = {}
        self._next: dict[int, int] = {}
        self._last: int | None = None
        self._following = 0
        self._hits: dict[int, int] = {}
        self._watched: frozenset[int] = frozenset()
        self._frames: list[tuple[int, int, int, int]] = []
        self._calls: list[Call] = []
        self._allowed = _NO_LIMIT
        self._stopped = False

    @property
    def instructions(self) -> int:
        """All instructions so far."""
        return self._total

    @property
    def cycles(self) -> int:
        """What the core takes for them, by its model."""
        return self._cycles

    def model(self, address: int, size: int) -> int:
        """Modelled cycles of the block of ``size`` bytes at ``address``."""
        start = address - self._origin
        code = self._code[start : start + size]
        return decode(code) if self._core is None else self._core.block(code)

    def attach(self, engine: Any) -> None:
        """Count what the unicorn ``engine`` runs."""
        from unicorn import UC_HOOK_BLOCK

        engine.hook_add(UC_HOOK_BLOCK, self._on_block)

    def allow(self, seconds: float) -> None:
        """Let blocks begin for about so long, at this machine's speed, which may be wrong by several times."""
        self._allowed, self._stopped = int(seconds * _BLOCKS_PER_SECOND), False

    def stop(self) -> None:
        """Stop the processor before the next block, which is not counted then."""
        self._allowed = 0

    @property
    def stopped(self) -> bool:
        """Whether the counter has stopped the processor, since blocks were allowed last."""
        return self._stopped

    def watch(self, addresses: Iterable[int]) -> None:
        """Record the calls of the functions at these addresses, and discard those of others."""
        self._watched = frozenset(addresses)
        self._frames, self._calls = [], []

    def take_calls(self) -> list[Call]:
        """The calls that have returned since the last call of this method, in the order of their return."""
        calls, self._calls = self._calls, []
        return calls

    def end_calls(self, address: int) -> None:
        """End the calls that return to ``address``, where the processor continues."""
        while self._frames and self._frames[-1][0] == address:
            _, instructions, cycles, function = self._frames.pop()
            self._calls.append(Call(function, self._total - instructions, self._cycles - cycles))

    def forget_frames(self) -> None:
        """Discard open calls, after a reset."""
        self._frames = []

    def blocks(self) -> dict[int, int]:
        """Instructions by the address of the block that they belong to."""
        return dict(self._hits)

    def clear(self) -> None:
        """Reset the counts of blocks, but not the total."""
        self._hits = {}

    def _on_block(self, engine: Any, address: int, size: int, _: object) -> None:
        if self._allowed == 0:
            self._stopped = True
            engine.emu_stop()
            return
        self._allowed -= 1
        known = self._blocks.get((address, size))
        if known is None:
            start = address - self._origin
            if start < 0 or start + size > len(self._code):
                return
            known = decode(self._code[start : start + size]), self.model(address, size)
            self._blocks[address, size] = known
        self._arrive(address)
        self.end_calls(address)
        if address in self._watched:
            from unicorn.arm_const import UC_ARM_REG_LR

            if not self._frames:
                # Branch prediction starts afresh, so that a call costs the same whatever ran before.
                self._next = {}
            self._frames.append((engine.reg_read(UC_ARM_REG_LR) & ~1, self._total, self._cycles, address))
        self._last, self._following = address, address + size
        self._total += known[0]
        self._cycles += known[1]
        self._hits[address] = self._hits.get(address, 0) + known[0]

    def _arrive(self, address: int) -> None:
        """The branch cost from the previous block to ``address``."""
        if self._last is None or self._core is None:
            return
        if address != self._following:
            self._cycles += self._core.taken
        if self._next.get(self._last, self._following) != address:
            self._cycles += self._core.missed
        self._next[self._last] = address


def decode(code: bytes) -> int:
    """How many Thumb instructions ``code`` is."""
    offset = count = 0
    while offset < len(code):
        offset += 4 if code[offset + 1] >> 3 >= _WIDE else 2
        count += 1
    return count


class _State(ctypes.Structure):
    """``struct counter`` of counter.c."""

    _fields_ = (
        ("instructions", ctypes.c_uint64), ("cycles", ctypes.c_uint64), ("origin", ctypes.c_uint64),
        ("length", ctypes.c_uint64),
        ("code", ctypes.c_void_p), ("blocks", ctypes.c_void_p), ("hits", ctypes.c_void_p),
        ("watched", ctypes.c_void_p), ("read_register", ctypes.c_void_p), ("frames", ctypes.c_void_p),
        ("frame_limit", ctypes.c_uint64), ("depth", ctypes.c_uint64), ("calls", ctypes.c_void_p),
        ("call_limit", ctypes.c_uint64), ("call_count", ctypes.c_uint64), ("model", ctypes.c_void_p),
        ("taken", ctypes.c_uint64), ("missed", ctypes.c_uint64), ("last", ctypes.c_void_p),
        ("following", ctypes.c_uint64), ("history", ctypes.c_uint64), ("allowed", ctypes.c_uint64),
        ("stopped", ctypes.c_uint64), ("stop", ctypes.c_void_p),
    )  # fmt: skip


#: ``struct block`` of counter.c.
_BLOCK = np.dtype(
    [
        ("bytes", np.uint16),
        ("instructions", np.uint16),
        ("cycles", np.uint32),
        ("next", np.uint32),
        ("history", np.uint32),
    ]
)
_MODEL = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint32)


class NativeCounter(Counter):
    """Counts in C.

    Args:
        library: ``counter.c``, by `native_library`.
    """

    def __init__(self, code: bytes, origin: int, library: ctypes.CDLL, core: Core | None = None) -> None:
        super().__init__(code, origin, core)
        halves = len(code) // 2
        self._arrays: dict[str, NDArray[Any]] = {
            "code": np.frombuffer(code, np.uint8),
            "blocks": np.zeros(halves, _BLOCK),
            "hits": np.zeros(halves, np.uint64),
            "watched": np.zeros(halves, np.uint8),
            "frames": np.zeros((_FRAMES, 4), np.uint64),
            "calls": np.zeros((_CALLS, 3), np.uint64),
        }
        self._library = library
        self._state = _State(origin=origin, length=len(code), frame_limit=_FRAMES, call_limit=_CALLS, allowed=_NO_LIMIT)
        for name, array in self._arrays.items():
            setattr(self._state, name, array.ctypes.data)
        if core is not None:
            self._state.taken, self._state.missed = core.taken, core.missed
        self._state.history = 1  # that of blocks which never ran is 0
        self._callback = _MODEL(self.model)
        self._state.model = address_of(self._callback).value

    @property
    def instructions(self) -> int:
        return int(self._state.instructions)

    @property
    def cycles(self) -> int:
        return int(self._state.cycles)

    def attach(self, engine: Any) -> None:
        from unicorn import UC_HOOK_BLOCK
        from unicorn.unicorn_py3.unicorn import uclib

        self._state.read_register = address_of(uclib.uc_reg_read).value
        self._state.stop = address_of(uclib.uc_emu_stop).value
        add_hook(engine, UC_HOOK_BLOCK, self._library.edgerig_on_block, self._state)

    def allow(self, seconds: float) -> None:
        self._state.allowed, self._state.stopped = int(seconds * _NATIVE_BLOCKS_PER_SECOND), 0

    def stop(self) -> None:
        self._state.allowed = 0

    @property
    def stopped(self) -> bool:
        return bool(self._state.stopped)

    def watch(self, addresses: Iterable[int]) -> None:
        watched = self._arrays["watched"]
        watched[:] = 0
        for address in addresses:
            watched[(address - self._origin) // 2] = 1
        self._state.depth = self._state.call_count = 0

    def take_calls(self) -> list[Call]:
        calls = self._arrays["calls"][: self._state.call_count].tolist()
        self._state.call_count = 0
        return [Call(*call) for call in calls]

    def end_calls(self, address: int) -> None:
        self._library.edgerig_end_calls(ctypes.byref(self._state), ctypes.c_uint64(address))

    def forget_frames(self) -> None:
        self._state.depth = 0

    def blocks(self) -> dict[int, int]:
        hits = self._arrays["hits"]
        places = np.flatnonzero(hits)
        return {self._origin + 2 * int(index): int(hits[index]) for index in places}

    def clear(self) -> None:
        self._arrays["hits"][:] = 0


def make_counter(code: bytes, origin: int, core: Core | None = None) -> Counter:
    """The fastest counter that there is on this machine."""
    library = native_library("counter")
    return NativeCounter(code, origin, library, core) if library is not None else Counter(code, origin, core)
