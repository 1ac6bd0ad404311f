"""A simulated board under a debugger: registers, memory, breakpoints, watchpoints, single instructions."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, Literal

from edgerig.simulator.simulator import Simulator

#: Seconds of this machine's time between two looks whether the debugger wants the board to stop.
SLICE = 0.1
Access = Literal["write", "read", "access"]
#: Registers in gdb's order for Cortex-M, as unicorn calls them, and their bytes.
REGISTERS: tuple[tuple[str, int], ...] = (
    *((f"R{number}", 4) for number in range(13)),
    *((name, 4) for name in ("SP", "LR", "PC", "XPSR")),
    *((f"D{number}", 8) for number in range(16)),
    ("FPSCR", 4),
)
#: Of what is hooked at each instruction, and for what.
_EACH = ("each", 0, 0)
_WATCHED = frozenset({"write", "read", "access"})


class Stop:
    """Why the board stands still: a signal as gdb numbers them, and the address that was watched, if it was that."""

    def __init__(self, number: int, watched: tuple[Access, int] | None = None) -> None:
        self.number, self.watched = int(number), watched


class Debugged:
    """A board that stops where it is told to.

    Nothing comes on its lines. A crash stops it at the first instruction of its fault handler, with signal SEGV. It
    counts more than without a debugger: a block of instructions that was entered anew counts again.

    Args:
        simulator: Before its first instruction, or where a debugger stopped it.
    """

    def __init__(self, simulator: Simulator) -> None:
        from unicorn import arm_const, unicorn_const

        self._board, self._engine = simulator, simulator.engine
        self._constants: Any = unicorn_const
        self._numbers = [getattr(arm_const, f"UC_ARM_REG_{name}") for name, _ in REGISTERS]
        self._hooks: dict[tuple[str, int, int], int] = {}
        self._hit: Stop | None = None
        self._leaving = -1

    def register(self, index: int) -> bytes:
        """The content of a register of `REGISTERS`, little-endian."""
        name, size = REGISTERS[index]
        value = self._board.pc if name == "PC" else self._engine.reg_read(self._numbers[index])
        return int(value).to_bytes(size, "little")

    def set_register(self, index: int, content: bytes) -> None:
        """Change a register."""
        value = int.from_bytes(content, "little")
        if REGISTERS[index][0] == "PC":
            self._board.pc = value
        self._engine.reg_write(self._numbers[index], value)

    def peek(self, address: int, count: int) -> bytes | None:
        """Memory; None where there is none. Registers of the chip are not read, for that may change them."""
        return self._board.peek(address, count) if self._in_memory(address, count) else None

    def poke(self, address: int, data: bytes) -> bool:
        """Change memory; whether there is any."""
        if not self._in_memory(address, len(data)):
            return False
        self._board.poke(address, data)
        self._engine.ctl_flush_tb()
        return True

    def _in_memory(self, address: int, count: int) -> bool:
        memory = self._board.board.memory
        regions = (memory.flash, memory.ram)
        return any(part.origin <= address and address + count <= part.origin + part.length for part in regions)

    def stop_at(self, address: int) -> None:
        """Stop before the instruction at ``address``."""
        self._hook(("break", address, 1), self._constants.UC_HOOK_CODE, self._reached, address, address)

    def stop_on(self, kind: Access, address: int, count: int) -> None:
        """Stop behind an instruction that accesses these bytes."""
        hooks = {"write": self._constants.UC_HOOK_MEM_WRITE, "read": self._constants.UC_HOOK_MEM_READ}
        wanted = hooks.get(kind, hooks["write"] | hooks["read"])

        def touched(engine: Any, access: int, where: int, size: int, value: int, data: object) -> None:
            self._hit = Stop(signal.SIGTRAP, (kind, address))
            engine.emu_stop()

        # An access of several bytes may begin before those that are watched.
        self._hook((kind, address, count), wanted, touched, max(address - 3, 0), address + count - 1)
        # With a hook at each instruction it stops behind the one that did it, not behind its block.
        self._hook(_EACH, self._constants.UC_HOOK_CODE, lambda *_: None, 1, 0)

    def go_past(self, kind: str, address: int, count: int = 1) -> None:
        """Take a stop away."""
        self._unhook((kind, address, count))
        if not any(name in _WATCHED for name, _, _ in self._hooks):
            self._unhook(_EACH)

    def _unhook(self, key: tuple[str, int, int]) -> None:
        hook = self._hooks.pop(key, None)
        if hook is not None:
            self._engine.hook_del(hook)
            self._engine.ctl_flush_tb()

    def _hook(self, key: tuple[str, int, int], kind: int, call: Callable[..., None], first: int, last: int) -> None:
        if key not in self._hooks:
            self._hooks[key] = self._engine.hook_add(kind, call, begin=first, end=last)
            self._engine.ctl_flush_tb()

    def _reached(self, engine: Any, address: int, size: int, data: object) -> None:
        if address != self._leaving:
            self._hit = Stop(signal.SIGTRAP)
            engine.emu_stop()

    def step(self) -> Stop:
        """Run one instruction."""
        return self._advance(1) or Stop(signal.SIGTRAP)

    def run(self, wanted: Callable[[float], bool]) -> Stop:
        """Run until something stops it.

        Args:
            wanted: Whether the debugger wants it to stop; waits so many seconds for that.
        """
        stop = self._advance(1)
        while stop is None:
            stop = self._advance(0)
            if stop is None and wanted(SLICE if self._board.idle else 0):
                stop = Stop(signal.SIGINT)
        return stop

    def _advance(self, count: int) -> Stop | None:
        """So many instructions, or for `SLICE` seconds; None where nothing stopped it."""
        faults = len(self._board.faults)
        # The instruction where it stands is not stopped at again.
        self._leaving, self._hit = self._board.pc if count else -1, None
        if count:
            # A block that was translated before runs to its end.
            self._engine.ctl_flush_tb()
        self._board.go_on(SLICE, count)
        if len(self._board.faults) > faults:
            return Stop(signal.SIGSEGV)
        return self._hit

    def reset(self) -> None:
        """As the board's button does."""
        self._board.reset()
