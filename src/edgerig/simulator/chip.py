"""The peripherals of a simulated STM32F746: UARTs, clock tree, cycle counter, fault and reset registers.

Registers and their bits are those of ST's reference manual RM0385 and Arm's Armv7-M manual.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from edgerig.boards.board import Board

WIRE, CONSOLE, DIGITS = 0, 1, 2
#: Ports A to K, and the register of each that sets (low half) and clears (high half) its pins.
_PORTS, _BSRR = range(0x4002_0000, 0x4002_2C00), 0x18
#: Looks at empty UARTs in a row after which the firmware counts as waiting.
IDLE_POLLS = 4
HSI_HZ, HSE_HZ = 16_000_000, 25_000_000

_RCC, _PWR = 0x4002_3800, 0x4000_7000
_RCC_PLLCFGR, _RCC_CFGR, _RCC_CSR, _PWR_CSR1 = _RCC + 0x04, _RCC + 0x08, _RCC + 0x74, _PWR + 4
_CFSR, _HFSR, _BFAR, _AIRCR = 0xE000_ED28, 0xE000_ED2C, 0xE000_ED38, 0xE000_ED0C
_DWT_CTRL, _CYCCNT = 0xE000_1000, 0xE000_1004
_BRR, _ISR, _RDR, _TDR = 0x0C, 0x1C, 0x24, 0x28
_RESET_KEY = 0x05FA_0004
#: In RCC_CSR: why it started, by power or by software; each with the pin's flag, as on the chip.
_BY_POWER, _BY_SOFTWARE, _FORGET = 0x0C00_0000, 0x1400_0000, 1 << 24


class Edge(NamedTuple):
    """A pin that went high or low.

    Attributes:
        cycles: Of the processor, when it did.
        pin: As the reference manual calls it: ``PI3``.
        high: Its level from then on.
    """

    cycles: int
    pin: str
    high: bool


class Uart:
    """A UART: bytes that wait for the firmware, bytes that it has sent, and the divisor of its baud rate."""

    def __init__(self) -> None:
        self.waiting: deque[int] = deque()
        self.sent = bytearray()
        self.divisor = 0


class Chip:
    """The registers of the chip. A register without a function of its own stores what is written.

    Args:
        cycles: Cycles of the processor so far.

    Attributes:
        lines: The UARTs, by `WIRE`, `CONSOLE` and `DIGITS`.
        awake_until: Cycles of the processor before which it does not count as idle.
        idle: Whether the firmware has read all input, and polls for more.
        reset_wanted: Whether it has asked for a reset.
        edges: What the pins did that the firmware sets one by one; they are low at first.
    """

    def __init__(self, board: Board, cycles: Callable[[], int]) -> None:
        self.lines = (Uart(), Uart(), Uart())
        self._bases = {board.lines.wire.base: WIRE, board.lines.console.base: CONSOLE}
        if board.lines.digits is not None:
            self._bases[board.lines.digits.base] = DIGITS
        self.awake_until = 0
        self._cycles = cycles
        self.edges: list[Edge] = []
        self._high: set[str] = set()
        self.start(again=False)

    def start(self, again: bool) -> None:
        """What a reset does; ``again`` after the first. Bytes on the lines stay there."""
        self._registers = {_RCC: 0x83, _RCC_CSR: _BY_SOFTWARE if again else _BY_POWER}
        self._cycles_base = 0
        self.reset_wanted = False
        self.look_again()

    def look_again(self) -> None:
        """Leave the idle state: there may be new input."""
        self._polls, self.idle = 0, False

    @property
    def clock_hz(self) -> int:
        """The processor's clock, by the registers of the clock tree."""
        if self._registers.get(_RCC_CFGR, 0) & 3 != 2:
            return HSI_HZ
        pll = self._registers.get(_RCC_PLLCFGR, 0)
        source = HSE_HZ if pll & 1 << 22 else HSI_HZ
        return source * (pll >> 6 & 511) // (max(1, pll & 63) * (2 * (pll >> 16 & 3) + 2))

    def note_fault(self, status: int, address: int | None) -> None:
        """Set the fault registers; ``address`` is that of a precise bus fault."""
        self._registers[_CFSR] = status | (0x8200 if address is not None else 0)
        self._registers[_HFSR] = 1 << 30
        self._registers[_BFAR] = address or 0

    def read(self, address: int) -> int:
        """Handle a read of ``address``."""
        line = self._bases.get(address & ~0x3FF)
        if line is not None:
            return self._read_uart(self.lines[line], address & 0x3FF)
        if address == _CYCCNT:
            return (self._cycles() - self._cycles_base) & 0xFFFF_FFFF if self._registers.get(_DWT_CTRL, 0) & 1 else 0
        value = self._registers.get(address, 0)
        if address == _RCC:
            # Clock sources (HSI, HSE, PLL) are ready at once.
            return value | (value & 0x0101_0001) << 1
        if address == _RCC_CFGR:
            return value & ~0xC | (value & 3) << 2
        if address == _PWR_CSR1:
            return self._registers.get(_PWR, 0) & 0x3_0000
        return value

    def write(self, address: int, value: int) -> None:
        """Handle a write to ``address``."""
        line = self._bases.get(address & ~0x3FF)
        if line is not None:
            if address & 0x3FF == _TDR:
                self._polls = 0
                self.lines[line].sent.append(value & 0xFF)
            elif address & 0x3FF == _BRR:
                self.lines[line].divisor = value
        elif address in _PORTS and address & 0x3FF == _BSRR:
            self._set_pins(chr(ord("A") + (address - _PORTS.start) // 0x400), value)
        elif address == _AIRCR:
            self.reset_wanted = value == _RESET_KEY
        elif address == _CYCCNT:
            self._cycles_base = self._cycles() - value
        elif address == _RCC_CSR and value & _FORGET:
            self._registers[address] = 0
        else:
            self._registers[address] = value & 0xFFFF_FFFF

    def _set_pins(self, port: str, value: int) -> None:
        """Where a pin is both set and cleared, it is set."""
        for bit in range(16):
            high, pin = bool(value >> bit & 1), f"P{port}{bit}"
            if (high or value >> 16 + bit & 1) and high != (pin in self._high):
                self._high ^= {pin}
                self.edges.append(Edge(self._cycles(), pin, high))

    def _read_uart(self, line: Uart, register: int) -> int:
        if register == _ISR:
            if not line.waiting:
                self._polls += 1
                waiting = self._polls > IDLE_POLLS and not any(uart.waiting for uart in self.lines)
                self.idle = waiting and (not self.awake_until or self._cycles() >= self.awake_until)
            return 0xC0 | (0x20 if line.waiting else 0)
        if register == _RDR and line.waiting:
            self._polls = 0
            return line.waiting.popleft()
        return 0
