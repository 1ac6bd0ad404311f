"""Cycles of a basic block on a Cortex-M4 and a Cortex-M7, by what each instruction costs; nothing here is fitted.

Cortex-M4: its Technical Reference Manual (Arm 100166, table 3-1 of the instructions, table 7-1 of the FPU's) gives a
cost for each. Cortex-M7: Arm publishes no such table. Widths, units, latencies and which instructions do not pair are
those of LLVM's scheduling model (``ARMScheduleM7.td``); that a mispredicted branch costs six cycles is from there, too.

Both assume that instructions and data are there when they are wanted: no wait states of flash, no missed cache lines.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from edgerig.boards.board import CoreName
from edgerig.simulator.thumb import Instruction, Kind, instructions

#: A division takes 2 to 12 cycles on a Cortex-M4, by its operands, which are not known here.
_M4_DIVISION = 7
_M4_FIXED: dict[Kind, int] = {"div": _M4_DIVISION, "table": 2, "fp_mac": 3, "fp_div": 14, "store": 1}
_SINGLE: frozenset[Kind] = frozenset({"load", "slow_load", "store"})
_BY_WORDS: frozenset[Kind] = frozenset(
    {"load_multiple", "store_multiple", "fp_load", "fp_store", "fp_load_multiple", "fp_store_multiple"}
)


class Core(msgspec.Struct, frozen=True):
    """A processor's cost of a basic block, and of branches.

    Attributes:
        block: Cycles of the instructions in a block's bytes, where every branch falls through.
        taken: Extra cycles of a taken branch.
        missed: Extra cycles of a mispredicted branch: one whose next block differs from the last time.
    """

    name: CoreName
    block: Callable[[bytes], int]
    taken: int
    missed: int


def m4_block(code: bytes) -> int:
    """Cycles on a Cortex-M4, which issues one instruction at a time.

    Single loads and stores that follow one another overlap: from the second on they take one cycle, unless a load
    makes the address of the next. A float result that the next instruction uses takes a cycle more.
    """
    cycles, before = 0, Instruction("system")
    for instruction in instructions(code):
        follows = before.kind in _SINGLE and not (before.kind != "store" and before.writes & instruction.address)
        if instruction.kind in _BY_WORDS:
            cycles += 1 + instruction.words
        elif instruction.kind in ("load", "slow_load"):
            cycles += 1 if follows else 2
        elif instruction.kind == "fp_move":
            cycles += max(1, instruction.words)
        else:
            cycles += _M4_FIXED.get(instruction.kind, 1)
        if before.kind in ("fp", "fp_mac") and before.writes & instruction.reads:
            cycles += 1
        before = instruction
    return cycles


class _Issue(msgspec.Struct, frozen=True):
    """How a Cortex-M7 issues a kind of instruction.

    Attributes:
        units: That it takes for a cycle, by name and number.
        latency: Cycles until its result can be used by arithmetic.
        alone: Nothing else is issued in the same cycle.
        first: It must be the first of a pair.
        late: Cycles after its issue at which it needs its data.
        busy: Cycles until anything else can be issued; 0 for one in two words.
    """

    units: tuple[str, ...] = ()
    latency: int = 1
    alone: bool = False
    first: bool = False
    late: int = 0
    busy: int = 1


_M7: dict[Kind, _Issue] = {
    "alu": _Issue(("alu",)),
    "shift": _Issue(("alu", "shift")),
    "simd": _Issue(("alu", "simd"), first=True),
    "mul": _Issue(("mac",), 2),
    "mull": _Issue(("mac",), 2),
    "div": _Issue(("alu",), 1, alone=True, busy=7),
    "load": _Issue(("load",)),
    "slow_load": _Issue(("load",), 2),
    "store": _Issue(("store",), late=1),
    "load_multiple": _Issue(("load",), alone=True, busy=0),
    "store_multiple": _Issue(("store",), alone=True, busy=0),
    "branch": _Issue(("branch",)),
    "indirect": _Issue(("branch",)),
    "table": _Issue(("load",), alone=True, busy=2),
    "it": _Issue(),
    "system": _Issue(alone=True, latency=3),
    "fp": _Issue(("vfp", "port"), 3),
    "fp_mac": _Issue(("vfp", "port"), 6),
    "fp_div": _Issue(("vfp", "port"), 16),
    "fp_move": _Issue(("port",), 3),
    "fp_load": _Issue(("load", "port")),
    "fp_store": _Issue(("store", "port"), late=2),
    "fp_load_multiple": _Issue(("load",), alone=True, busy=0),
    "fp_store_multiple": _Issue(("store",), alone=True, busy=0),
}
_M7_UNITS = {"alu": 2, "load": 2, "port": 2}
#: An address is needed a cycle before arithmetic needs its data; what is accumulated later than the factors.
_M7_ADDRESS = -1
_M7_ACCUMULATE: dict[Kind, int] = {"mul": 1, "mull": 1, "fp_mac": 3}


class _Pipeline:
    """Issues instructions in order, two a cycle at most."""

    def __init__(self) -> None:
        self.cycle = 0
        self._issued = 0
        self._closed = False
        self._units: dict[str, int] = {}
        self._ready: dict[int, int] = {}
        self._float_unit_free = 0

    def issue(self, instruction: Instruction) -> None:
        timing = _M7[instruction.kind]
        start = self._earliest(instruction, timing)
        if start > self.cycle or not self._fits(instruction, timing):
            self._next(max(start, self.cycle + 1))
        for unit in timing.units:
            self._units[unit] = self._units.get(unit, 0) + 1
        self._issued += 1
        wide = instruction.kind in ("fp_load", "fp_store") and instruction.words > 1
        self._closed = timing.alone or wide or instruction.to_pc
        busy = timing.busy or max(1, (instruction.words + 1) // 2)
        done = self.cycle + timing.latency + busy - 1 + wide
        for register in _members(instruction.writes):
            self._ready[register] = done
        if instruction.kind == "fp_div":
            self._float_unit_free = self.cycle + 14
        if busy > 1:
            self._next(self.cycle + busy)

    def end(self) -> int:
        """The cycle after the last instruction's; a new pair begins there."""
        if self._issued:
            self._next(self.cycle + 1)
        return self.cycle

    def _earliest(self, instruction: Instruction, timing: _Issue) -> int:
        earliest = self._float_unit_free if "vfp" in timing.units else 0
        accumulate = _M7_ACCUMULATE.get(instruction.kind, 0)
        for registers, late in (
            (instruction.address, _M7_ADDRESS),
            (instruction.accumulator, accumulate),
            (instruction.reads & ~instruction.accumulator, timing.late),
        ):
            for register in _members(registers):
                earliest = max(earliest, self._ready.get(register, 0) - late)
        return earliest

    def _fits(self, instruction: Instruction, timing: _Issue) -> bool:
        if self._issued == 0:
            return True
        wide = instruction.kind in ("fp_load", "fp_store") and instruction.words > 1
        if self._issued == 2 or self._closed or timing.alone or timing.first or wide:
            return False
        return all(self._units.get(unit, 0) < _M7_UNITS.get(unit, 1) for unit in timing.units)

    def _next(self, cycle: int) -> None:
        self.cycle, self._issued, self._closed = cycle, 0, False
        self._units.clear()


def m7_block(code: bytes) -> int:
    """Cycles on a Cortex-M7, which issues up to two instructions at a time, in order.

    They are those of the block's second run in a row: what the first left unfinished keeps the second waiting, as in
    a loop, which is where time goes.
    """
    decoded, pipeline = instructions(code), _Pipeline()
    for instruction in decoded:
        pipeline.issue(instruction)
    first = pipeline.end()
    for instruction in decoded:
        pipeline.issue(instruction)
    return max(1, pipeline.end() - first)


def _members(registers: int) -> list[int]:
    numbers = []
    while registers:
        lowest = registers & -registers
        numbers.append(lowest.bit_length() - 1)
        registers ^= lowest
    return numbers


CORES: dict[CoreName, Core] = {
    "cortex-m4": Core("cortex-m4", m4_block, taken=2, missed=0),
    "cortex-m7": Core("cortex-m7", m7_block, taken=0, missed=6),
}
