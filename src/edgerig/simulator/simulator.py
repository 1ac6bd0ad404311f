"""An STM32F746 in software: unicorn runs the instructions, this module is the chip around the processor.

It works alone::

    simulator = Simulator(Path("firmware.elf"), load_board("stm32f746"))
    simulator.run()                                   # until the firmware waits for input
    simulator.write(CONSOLE, b"CMD=2\\n")
    simulator.run()
    print(simulator.read(CONSOLE).decode())
    print(simulator.count("model_run"))               # instructions of one call
    print(simulator.by_function())                    # all so far, by function

There are three UARTs, which never lose a byte, the cycle counter, as much of the clock tree as start-up code looks at,
and the way into a fault handler and out by a reset. There are no interrupts: firmware polls. Instructions are counted
exactly; cycles are what the board's cycle model makes of them.
"""

from __future__ import annotations

import bisect
import contextlib
import math
import struct
import time
from pathlib import Path
from typing import Any

from edgerig.boards.board import Board
from edgerig.boards.sizes import functions, named, open_elf
from edgerig.errors import MissingExtraError, TargetError
from edgerig.simulator.alignment import make_alignment
from edgerig.simulator.chip import CONSOLE, DIGITS, WIRE, Chip, Edge
from edgerig.simulator.counter import Call, make_counter
from edgerig.simulator.cycles import cycle_model
from edgerig.simulator.faults import Fault, kind_of_access, stack_exception_frame
from edgerig.simulator.flash import flash_with
from edgerig.simulator.interrupts import held_signals

__all__ = ["CONSOLE", "DIGITS", "WIRE", "Fault", "Simulator"]

#: Where a called function returns to. No code lies there.
_BACK = 0x1000_0000
#: Exceptions as unicorn numbers them, and the fault status that a Cortex-M then shows.
_FAULTS = {1: ("undefined instruction", 1 << 16), 7: ("breakpoint", 1 << 16), 17: ("no FPU", 1 << 19)}

#: Likewise, of the accesses that `alignment` finds.
_UNALIGNED = 1 << 24
#: Seconds after which Python looks whether a signal has come, or the time is over.
_SLICE = 0.05


class Simulator:
    """A board with a firmware in its flash, switched on.

    Args:
        elf: The firmware. Its segments must lie in the board's memory.
        board: The memory map, the UARTs and the cycle model.

    Raises:
        MissingExtraError: unicorn is not installed.
        ModelError: ``elf`` is no firmware. TargetError: it does not fit the board's memory.
    """

    def __init__(self, elf: Path, board: Board) -> None:
        try:
            import unicorn
        except ImportError as error:
            raise MissingExtraError("The simulated board", "boards", "unicorn") from error
        from unicorn import arm_const

        self.board = board
        self._unicorn: Any = unicorn
        self._registers: Any = arm_const
        self._errors: type[Exception] = self._unicorn.UcError
        file = open_elf(elf)
        self.symbols = named(file)
        self._functions = functions(file)
        self._starts = [start for start, _, _ in self._functions]
        self._flash = flash_with(file, elf.name, board)
        self.faults: list[Fault] = []
        self.resets = 0
        self._pc = 0
        self._chip = Chip(board, lambda: self.cycles)
        self._model = cycle_model(board.cycles.core) if board.cycles else None
        core = self._model.parts if self._model else None
        self._counter = make_counter(self._flash, board.memory.flash.origin, core)
        self._engine = self._make_engine()
        self._alignment = make_alignment(self._engine, self._flash, board.memory.flash.origin)
        #: The processor's registers while a function is called. One for all calls: Ctrl-C while another was made would
        #: leave it half made, which unicorn cannot free.
        self._registers_before = self._engine.context_save()
        self._called_from: int | None = None
        self._start()

    # ---- what a user asks for

    @property
    def instructions(self) -> int:
        """Instructions since the board was switched on."""
        return self._counter.instructions

    @property
    def cycles(self) -> int:
        """Cycles by the board's model so far; one for each instruction if it has none."""
        return self._model.cycles(self._counter.cycles) if self._model else self._counter.cycles

    @property
    def clock_hz(self) -> int:
        """The clock that the firmware has set, by the registers of the clock tree."""
        return self._chip.clock_hz

    @property
    def edges(self) -> list[Edge]:
        """What the pins did so far that the firmware sets one by one."""
        return self._chip.edges

    def divisor(self, line: int) -> int:
        """What the firmware divides a UART's clock by for its baud rate; 0 before it is set."""
        return self._chip.lines[line].divisor

    def write(self, line: int, data: bytes | memoryview) -> None:
        """Bytes for a UART of the board, `WIRE`, `CONSOLE` or `DIGITS`, to be taken by the next `run`."""
        self._chip.lines[line].waiting.extend(data)

    def read(self, line: int, most: int | None = None) -> bytes:
        """What the board has sent on that UART, oldest first, and take it away."""
        sent = self._chip.lines[line].sent
        data = bytes(sent[:most])
        del sent[: len(data)]
        return data

    def run(self, seconds: float | None = 60.0, *, through_resets: bool = True) -> None:
        """Run until the firmware has taken all input and waits for more.

        Args:
            seconds: Of this machine's time; None for ever.
            through_resets: Whether a firmware that crashes or restarts is run on from its reset; `faults` and `resets`
                tell of it. If not, the run ends there.

        Raises:
            TimeoutError: It is still running.
            TargetError: It cannot continue, such as when its fault handler fails, too.
        """
        self._end_call()
        self._chip.look_again()
        last = len(self.faults)
        while not self._chip.idle:
            self._emulate(self._pc, seconds)
            if self._chip.reset_wanted:
                self.reset()
                if not through_resets:
                    return
            if len(self.faults) > last + 2:
                raise TargetError(f"The firmware crashes again and again. {self.faults[-1]}")

    def go_on(self, seconds: float, count: int = 0) -> None:
        """Run for at most so long of this machine's time, or ``count`` instructions, from wherever it stands.

        For a debugger, whose hooks may stop it before; `run` is for everybody else.
        """
        self._end_call()
        self._chip.look_again()
        with contextlib.suppress(TimeoutError):
            self._emulate(self._pc, seconds, count=count)
        if self._chip.reset_wanted:
            self.reset()

    def reset(self) -> None:
        """Start the processor anew, as the board's button does; memory keeps its content."""
        self.resets += 1
        self._called_from = None
        self._start()

    def idle_for(self, seconds: float) -> None:
        """Let ``seconds`` of the board's own time pass, in which nothing comes on its lines.

        Raises:
            TimeoutError, TargetError: As `run`.
        """
        self._chip.awake_until = self.cycles + int(seconds * self.clock_hz)
        try:
            self.run()
        finally:
            self._chip.awake_until = 0

    def call(self, name: str | int, *arguments: int, seconds: float | None = 60.0) -> int:
        """Call the firmware's function ``name``, or the one at an address, with up to four numbers; what it returns in
        its first register.

        The board must wait for input, as it does after `run`.

        Raises:
            TargetError: There is no such function, or it crashed.
        """
        if isinstance(name, str) and name not in self.symbols:
            raise TargetError(f"The firmware has no function {name!r}.")
        address = self.symbols[name] if isinstance(name, str) else name
        engine, registers = self._engine, self._registers
        faults = len(self.faults)
        self._end_call()
        engine.context_update(self._registers_before)
        self._called_from = self._pc
        try:
            self._chip.look_again()
            for register, value in zip(
                (registers.UC_ARM_REG_R0, registers.UC_ARM_REG_R1, registers.UC_ARM_REG_R2, registers.UC_ARM_REG_R3),
                arguments,
                strict=False,
            ):
                engine.reg_write(register, value & 0xFFFF_FFFF)
            engine.reg_write(registers.UC_ARM_REG_LR, _BACK | 1)
            self._emulate(address, seconds, until=_BACK)
            # No block begins there that would tell.
            self._counter.end_calls(_BACK)
            result = int(engine.reg_read(registers.UC_ARM_REG_R0))
        finally:
            self._end_call()
        if len(self.faults) > faults:
            raise TargetError(f"The function {name!r} crashed. {self.faults[-1]}")
        return result

    def _end_call(self) -> None:
        """Let the processor go on where a `call` has begun; again before all that follows, for Ctrl-C may come here."""
        if self._called_from is not None:
            self._engine.context_restore(self._registers_before)
            self._pc = self._called_from
            self._called_from = None

    def count(self, name: str | int, *arguments: int) -> int:
        """Instructions of one `call`, callees included."""
        before = self.instructions
        self.call(name, *arguments)
        return self.instructions - before

    def by_function(self) -> dict[str, int]:
        """Instructions by function, callees not included, most first; since the start or the last `clear_counts`."""
        instructions: dict[str, int] = {}
        for address, count in self._counter.blocks().items():
            name = self.function_at(address)
            instructions[name] = instructions.get(name, 0) + count
        return dict(sorted(instructions.items(), key=lambda item: -item[1]))

    def clear_counts(self) -> None:
        """Reset the counts of `by_function`, but not `instructions`."""
        self._counter.clear()

    def watch(self, addresses: list[int]) -> None:
        """Record every call of the functions at these addresses from now on; see `take_calls`."""
        self._counter.watch(addresses)

    def watch_alignment(self, on: bool) -> None:
        """Whether accesses to several words fault, as on the chip, where their address is not a multiple of four.

        Off at first, for it makes the simulation slower.
        """
        self._alignment.switch(on)

    def take_calls(self) -> list[Call]:
        """The watched calls that have returned since this was asked last."""
        return self._counter.take_calls()

    def function_at(self, address: int) -> str:
        """The name of the function that ``address`` lies in."""
        index = bisect.bisect_right(self._starts, address) - 1
        if index >= 0:
            start, size, name = self._functions[index]
            if address < start + max(size, 1):
                return name
        return f"{address:#010x}"

    def peek(self, address: int, count: int) -> bytes:
        """``count`` bytes of the board's memory."""
        return bytes(self._engine.mem_read(address, count))

    def poke(self, address: int, data: bytes) -> None:
        """Change the board's memory. What lies in flash stays as it is for the counting of instructions."""
        self._engine.mem_write(address, data)

    # ---- what a debugger asks for

    @property
    def engine(self) -> Any:
        """Unicorn's, whose hooks and registers a debugger needs."""
        return self._engine

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self._pc & ~1

    @pc.setter
    def pc(self, address: int) -> None:
        self._pc = address | 1

    @property
    def idle(self) -> bool:
        """Whether the firmware has taken all input and waits for more."""
        return self._chip.idle

    # ---- the processor

    def _make_engine(self) -> Any:
        uc, flash, ram = self._unicorn, self.board.memory.flash, self.board.memory.ram
        engine = uc.Uc(uc.UC_ARCH_ARM, uc.UC_MODE_THUMB | uc.UC_MODE_MCLASS)
        engine.ctl_set_cpu_model(self._registers.UC_CPU_ARM_CORTEX_M7)
        engine.mem_map(flash.origin, flash.length, uc.UC_PROT_READ | uc.UC_PROT_EXEC)
        engine.mem_write(flash.origin, self._flash)
        engine.mem_map(ram.origin, ram.length, uc.UC_PROT_READ | uc.UC_PROT_WRITE)
        for start, size in ((0x4000_0000, 0x8_0000), (0xE000_0000, 0x10_0000)):
            engine.mmio_map(start, size, self._read_register, start, self._write_register, start)
        engine.hook_add(uc.UC_HOOK_INTR, self._on_exception)
        engine.hook_add(uc.UC_HOOK_MEM_INVALID, self._on_bad_access)
        self._counter.attach(engine)
        return engine

    def _start(self) -> None:
        """Reset the processor. Memory keeps its content."""
        self._chip.start(again=self.resets > 0)
        self._pending: tuple[str, int, int | None] | None = None
        self._counter.forget_frames()
        stack, entry = struct.unpack("<II", self._flash[:8])
        registers = self._registers
        self._engine.reg_write(registers.UC_ARM_REG_SP, stack)
        # Unicorn's own start-up leaves these bits to the firmware, too, but for the instruction that a TB begins with.
        self._engine.reg_write(registers.UC_ARM_REG_C1_C0_2, 0)
        self._engine.reg_write(registers.UC_ARM_REG_LR, 0xFFFF_FFFF)
        self._pc = entry | 1

    def _emulate(self, pc: int, seconds: float | None, until: int = 0xFFFF_FFFE, count: int = 0) -> None:
        """Run from ``pc`` until something stops it.

        Raises:
            TimeoutError: It ran for ``seconds``, or for ``count`` instructions, or a hook stopped it.
            BaseException: What a signal's handler raises.
        """
        self._pc = pc | 1
        end = math.inf if seconds is None else time.monotonic() + seconds
        while not (self._chip.idle or self._chip.reset_wanted):
            self._counter.allow(_SLICE if seconds is None else min(_SLICE, seconds))
            with held_signals(self._counter.stop):
                self._advance(until, count)
            if self._pending is not None:
                self._enter_fault(*self._pending)
                return
            if self._pc == until | 1:
                return
            if not self._counter.stopped or count or time.monotonic() >= end:
                raise TimeoutError(f"the board was busy for {seconds:g} s")

    def _advance(self, until: int, count: int) -> None:
        """Run from where it stands until the counter or a hook stops it, or it fails."""
        engine = self._engine
        self._pending = None
        try:
            engine.emu_start(self._pc, until, count=count)
        except self._errors as error:
            if self._pending is None:
                self._pending = (str(error).split("(")[0].strip() or "bad access", 1 << 16, None)
        self._pc = engine.reg_read(self._registers.UC_ARM_REG_PC) | 1
        if (unaligned := self._alignment.take()) is not None:
            self._pc, address = unaligned
            self._pending = ("unaligned access", _UNALIGNED, address)

    def _enter_fault(self, what: str, status: int, address: int | None) -> None:
        """Enter the HardFault handler as the processor does."""
        pc = self._pc & ~1
        self.faults.append(Fault(what, pc, self.function_at(pc), address))
        # Only bus faults, which have no other status here, show the address on the chip.
        self._chip.note_fault(status, None if status else address)
        stack_exception_frame(self._engine, pc, self.board.memory.ram)
        (handler,) = struct.unpack("<I", self._flash[12:16])
        self._pc = handler | 1

    def _on_exception(self, engine: Any, number: int, _: object) -> None:
        what, status = _FAULTS.get(number, (f"exception {number}", 1 << 16))
        self._pending = (what, status, None)
        engine.emu_stop()

    def _on_bad_access(self, _: Any, access: int, address: int, size: int, value: int, __: object) -> bool:
        self._pending = (kind_of_access(access), 0, address)
        return False

    # ---- the chip around it

    def _read_register(self, engine: Any, offset: int, size: int, start: int) -> int:
        value = self._chip.read(start + offset)
        if self._chip.idle:
            self._counter.stop()
        return value

    def _write_register(self, engine: Any, offset: int, size: int, value: int, start: int) -> None:
        self._chip.write(start + offset, value)
        if self._chip.reset_wanted:
            self._counter.stop()
