"""Calls of functions on a processor in QEMU, many in one boot: what is to be called, poked and peeked is a script.

For processors that unicorn does not know, such as the Cortex-M55 with Helium::

    program = QemuCalls(elf, "mps3-an547")
    program.call("net_init")
    program.poke("net_input", 0, sample)
    instructions = program.count("net_run")
    output = program.peek("net_output", 0, 10)
    program.run()
    print(instructions.value, output.value)
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from edgerig.boards.programs import call
from edgerig.boards.sizes import named, open_elf
from edgerig.errors import TargetError, UsageError

PROGRAM = "qemu-system-arm"
INSTALL = "apt-get install --no-install-recommends qemu-system-arm"
#: One instruction is a nanosecond of QEMU's own time, whatever this machine does meanwhile.
CLOCK = ("-icount", "shift=0,sleep=off")
#: C of the program that runs the script, and where script and results lie.
SOURCE = Path(__file__).with_name("qemu_calls.c")
SCRIPT, RESULTS = 0x6800_0000, 0x7000_0000
FLAGS = (f"-DSCRIPT={SCRIPT:#x}u", f"-DRESULTS={RESULTS:#x}u")
#: Code in the ITCM, constants and variables in the DDR memory, which any network fits into.
LAYOUT = """\
ENTRY(Reset_Handler)
SECTIONS {
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
  .text 0x00000000 : { KEEP(*(.vectors)) *(.text .text.*) }
  .rodata 0x60000000 : { *(.rodata .rodata.*) }
  .data : { *(.data .data.*) }
  .bss (NOLOAD) : { *(.bss .bss.* COMMON) }
  stack_top = 0x20040000;
}
"""
#: Seconds that a script may take.
PATIENCE = 300.0
#: Instructions of a tick of the board's SysTick, 32 MHz, and of one turn of the loop that waits for its edge.
_TICK, _TURN = 1000 / 32, 4
_END, _CALL, _COUNT, _POKE, _PEEK = range(5)
_SPANS = struct.Struct("<4I")


@dataclass
class Result:
    """Bytes that a call left; known after `QemuCalls.run`."""

    size: int
    data: bytes | None = None

    @property
    def value(self) -> bytes:
        """The bytes.

        Raises:
            TargetError: The script has not run.
        """
        if self.data is None:
            raise TargetError("The script has not run yet.")
        return self.data


@dataclass
class Count(Result):
    """Instructions of a call, within a few."""

    size: int = _SPANS.size

    @property
    def instructions(self) -> int:
        """How many, that of the call itself left out."""
        numbers: tuple[int, ...] = _SPANS.unpack(self.value)
        empty_ticks, empty_turns, ticks, turns = numbers
        return max(0, round((ticks - empty_ticks) * _TICK - (turns - empty_turns) * _TURN))


@dataclass
class QemuCalls:
    """A script of calls for one program, whose C has `SOURCE` and `LAYOUT`.

    Attributes:
        elf: The program.
        machine: QEMU's name of the board.
    """

    elf: Path
    machine: str = "mps3-an547"
    _script: bytearray = field(default_factory=bytearray)
    _results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.symbols = named(open_elf(self.elf))

    def call(self, function: str, argument: int = 0) -> None:
        """Call a function of one number or none."""
        self._ask(_CALL, self.symbols[function] | 1, argument)

    def count(self, function: str | int) -> Count:
        """Call a function, by name or address, and count its instructions."""
        count = Count()
        self._ask(_COUNT, self.symbols[function] | 1 if isinstance(function, str) else function | 1)
        self._results.append(count)
        return count

    def poke(self, function: str, argument: int, data: bytes) -> None:
        """Write to where the pointer that a function returns points."""
        self.call(function, argument)
        self._ask(_POKE, length=len(data))
        self._script += data + bytes(-len(data) % 4)

    def peek(self, function: str, argument: int, size: int) -> Result:
        """Read from where the pointer that a function returns points."""
        self.call(function, argument)
        return self._peek(0, size)

    def peek_at(self, address: int, size: int) -> Result:
        """Read from an address."""
        return self._peek(address, size)

    def run(self) -> None:
        """Start QEMU, run the script, and hand out the results.

        Raises:
            UsageError: QEMU is not installed. TargetError: The program failed.
        """
        program = find_qemu()
        with tempfile.TemporaryDirectory() as work:
            script = Path(work) / "script.bin"
            script.write_bytes(bytes(self._script) + struct.pack("<4I", _END, 0, 0, 0))
            words = [program, "-M", self.machine, "-kernel", str(self.elf.resolve()), "-display", "none", *CLOCK]
            words += ["-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native"]
            words += ["-device", f"loader,file={script},addr={SCRIPT:#x},force-raw=on"]
            try:
                done = call(words, PATIENCE, Path(work))
            except (OSError, subprocess.TimeoutExpired) as error:
                raise TargetError(f"{program} does not run {self.elf.name} to its end: {error}.") from error
            if done.returncode:
                raise TargetError(f"{self.elf.name} crashed in QEMU: {done.stderr.strip() or 'a fault'}.")
            data = (Path(work) / "results.bin").read_bytes()
        offset = 0
        for result in self._results:
            result.data = data[offset : offset + result.size]
            offset += result.size
        self._script.clear()
        self._results.clear()

    def _ask(self, kind: int, address: int = 0, argument: int = 0, length: int = 0) -> None:
        self._script += struct.pack("<4I", kind, address, argument, length)

    def _peek(self, address: int, size: int) -> Result:
        result = Result(size)
        self._ask(_PEEK, address, 0, size)
        self._results.append(result)
        return result


def find_qemu() -> str:
    """QEMU's program for Arm boards.

    Raises:
        UsageError: It is not installed.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise UsageError(f"{PROGRAM} is not installed.", f"On Debian and Ubuntu: {INSTALL}")
    return program
