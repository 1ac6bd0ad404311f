"""Calls of functions on a processor in QEMU, many in one boot: what is to be called, poked and peeked is a script.

For processors that the simulator does not know, the Cortex-M55 with Helium and RISC-V::

    program = QemuCalls(elf)
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

#: One instruction is a nanosecond of QEMU's own time, whatever this machine does meanwhile.
CLOCK = ("-icount", "shift=0,sleep=off")


@dataclass(frozen=True)
class Processor:
    """A processor in QEMU that runs scripts.

    Attributes:
        program: QEMU's; ``package``: Debian's that brings it.
        machine: Words of its command that choose board and processor.
        source: C of the program that runs the script.
        layout: Its linker script; any network fits.
        script, results: Addresses of both.
        thumb: Added to addresses of functions.
        tick, turn: Instructions of a tick of the counter, and of a turn of the loop that waits for one.
    """

    program: str
    package: str
    machine: tuple[str, ...]
    source: Path
    layout: str
    script: int
    results: int
    thumb: int
    tick: float
    turn: int

    @property
    def flags(self) -> tuple[str, ...]:
        """Of the C compiler, for the program."""
        return f"-DSCRIPT={self.script:#x}u", f"-DRESULTS={self.results:#x}u"


#: The Cortex-M55 of Arm's board: code in the ITCM, constants and variables in the DDR memory; SysTick of 32 MHz.
CORTEX_M55 = Processor(
    program="qemu-system-arm",
    package="qemu-system-arm",
    machine=("-M", "mps3-an547"),
    source=Path(__file__).with_name("qemu_calls.c"),
    layout="""\
ENTRY(Reset_Handler)
SECTIONS {
  /DISCARD/ : { *(.ARM.exidx*) *(.ARM.extab*) }
  .text 0x00000000 : { KEEP(*(.vectors)) *(.text .text.*) }
  .rodata 0x60000000 : { *(.rodata .rodata.*) }
  .data : { *(.data .data.*) }
  .bss (NOLOAD) : { *(.bss .bss.* COMMON) }
  stack_top = 0x20040000;
}
""",
    script=0x6800_0000,
    results=0x7000_0000,
    thumb=1,
    tick=1000 / 32,
    turn=4,
)
#: RV32IMC alone, as lowRISC's Ibex has it, on the machine `virt` with 256 MB of memory; it counts instructions itself.
RV32IMC = Processor(
    program="qemu-system-riscv32",
    package="qemu-system-misc",
    machine=("-M", "virt", "-cpu", "lowrisc-ibex", "-m", "256M", "-bios", "none"),
    source=Path(__file__).with_name("qemu_calls.c"),
    layout="""\
ENTRY(Reset_Handler)
SECTIONS {
  .text 0x80000000 : { KEEP(*(.vectors)) *(.text .text.*) }
  .rodata : { *(.rodata .rodata.* .srodata .srodata.*) }
  .data : { *(.data .data.* .sdata .sdata.*) }
  .bss (NOLOAD) : { *(.bss .bss.* .sbss .sbss.* COMMON) }
  stack_top = 0x88000000;
}
""",
    script=0x8800_0000,
    results=0x8C00_0000,
    thumb=0,
    tick=1.0,
    turn=0,
)
#: Seconds that a script may take.
PATIENCE = 300.0
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
    """Instructions of a call, of processors without a counter of them within a few."""

    size: int = _SPANS.size
    processor: Processor = CORTEX_M55

    @property
    def instructions(self) -> int:
        """How many, that of the call itself left out."""
        numbers: tuple[int, ...] = _SPANS.unpack(self.value)
        empty_ticks, empty_turns, ticks, turns = numbers
        counted = (ticks - empty_ticks) * self.processor.tick - (turns - empty_turns) * self.processor.turn
        return max(0, round(counted))


@dataclass
class QemuCalls:
    """A script of calls for one program, built with the C and the layout of its processor.

    Attributes:
        elf: The program.
        processor: What it was built for.
    """

    elf: Path
    processor: Processor = CORTEX_M55
    _script: bytearray = field(default_factory=bytearray)
    _results: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.symbols = named(open_elf(self.elf))

    def call(self, function: str, argument: int = 0) -> None:
        """Call a function of one number or none."""
        self._ask(_CALL, self.symbols[function] | self.processor.thumb, argument)

    def count(self, function: str | int) -> Count:
        """Call a function, by name or address, and count its instructions."""
        count = Count(processor=self.processor)
        address = self.symbols[function] if isinstance(function, str) else function
        self._ask(_COUNT, address | self.processor.thumb)
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
        program = find_qemu(self.processor)
        with tempfile.TemporaryDirectory() as work:
            script = Path(work) / "script.bin"
            script.write_bytes(bytes(self._script) + struct.pack("<4I", _END, 0, 0, 0))
            words = [program, *self.processor.machine, "-kernel", str(self.elf.resolve()), "-display", "none", *CLOCK]
            words += ["-monitor", "none", "-serial", "none", "-semihosting-config", "enable=on,target=native"]
            words += ["-device", f"loader,file={script},addr={self.processor.script:#x},force-raw=on"]
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


def find_qemu(processor: Processor = CORTEX_M55) -> str:
    """QEMU's program for a processor and its like.

    Raises:
        UsageError: It is not installed.
    """
    program = shutil.which(processor.program)
    if program is None:
        install = f"apt-get install --no-install-recommends {processor.package}"
        raise UsageError(f"{processor.program} is not installed.", f"On Debian and Ubuntu: {install}")
    return program
