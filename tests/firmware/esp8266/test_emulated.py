"""What of the sketch needs no network, on an emulated lx106, the processor of an ESP8266."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from tests.firmware.esp8266.conftest import make
from tests.needs import need

QEMU = "qemu-system-xtensa -M sim -cpu lx106 -semihosting -nographic -monitor none -serial none -kernel"


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the parts print on this machine, with sanitizers on."""
    need("make", "gcc")
    folder = tmp_path_factory.mktemp("parts")
    make(f"BUILD={folder}", "CC=gcc", f"{folder}/parts")
    return subprocess.run([folder / "parts"], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.slow
def test_numbers_are_printed_as_printf_prints_them(lines: list[str]) -> None:
    bits = [bits | sign for i in range(700) for bits in (1 + i * (0x7F7FFFFF // 700),) for sign in (0, 0x80000000)]
    bits += [0x3C000000 + (i << 17) for i in range(128)]
    expected = [f"{struct.unpack('<f', struct.pack('<I', number))[0]:.6f}" for number in bits]
    first = lines.index(expected[0])
    assert lines[first : first + len(expected)] == expected
    assert lines[first + len(expected) :][:3] == ["36.726881", "73.453762", "26843.545593"]


def test_commands_are_taken_for_what_they_are(lines: list[str]) -> None:
    commands = [round(1000 * float(line.split()[1])) for line in lines if line.startswith("command")]
    test, start, stop, bad, too_long, unknown = range(1, 7)
    assert commands == [test, start, stop, bad, bad, start, start, bad, bad, unknown, too_long, test]


def test_an_emulated_lx106_prints_the_same(lines: list[str], tmp_path: Path) -> None:
    need("make", "gcc", "xtensa-lx106-elf-gcc", "qemu-system-xtensa")
    make(f"BUILD={tmp_path}", "CC=gcc", f"{tmp_path}/lx106.elf")
    command = [*QEMU.split(), str(tmp_path / "lx106.elf")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == lines
