"""``edgerig firmware gdb``: gdb on a firmware in QEMU and in the simulator, and the commands for a board."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.needs import need

from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings, Firmware
from edgerig.cli import main
from edgerig.errors import TargetError
from edgerig.targets.emulated.debugger import Debugging, debug


def call(*words: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main(["firmware", "gdb", *map(str, words)])
    return int(caught.value.code or 0)


@pytest.fixture
def firmware(write_network: Any, tmp_path: Path) -> Firmware:
    return build_firmware(load_board("mps2-an500"), write_network(), tmp_path / "fw", BuildSettings(debug=True))


@pytest.mark.slow
def test_the_firmware_stops_where_it_is_told_to(firmware: Firmware, capfd: pytest.CaptureFixture[str]) -> None:
    need("qemu-system-arm", "gdb-multiarch")
    commands = ["break network_init", "continue", "backtrace", "print (int)sizeof(int) + 38"]
    words = [word for command in commands for word in ("-ex", command)]
    assert call("qemu:mps2-an500", firmware.folder, "--batch", *words) == 0
    text = capfd.readouterr().out
    assert "Breakpoint 1, network_init" in text
    assert "in main () at" in text
    assert "$1 = 42" in text


@pytest.mark.slow
def test_a_firmware_for_risc_v_stops_as_well(
    write_network: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    need("qemu-system-riscv32", "gdb-multiarch")
    board = load_board("virt-rv32imc")
    built = build_firmware(board, write_network(), tmp_path / "fw", BuildSettings(debug=True))
    words = ["-ex", "break network_init", "-ex", "continue", "-ex", "print $misa & 0xffff"]
    assert call("qemu:virt-rv32imc", built.folder, "--batch", *words) == 0
    text = capfd.readouterr().out
    assert "Breakpoint 1, network_init" in text
    # I, M and C, and not A, D or F.
    assert f"$1 = {1 << 8 | 1 << 12 | 1 << 2}" in text


SCRIPT = """\
break network_init
continue
backtrace
watch network.input_bytes
continue
delete
tbreak board_get
continue
finish
set var $r0 = 5
print $r0
monitor reset
tbreak main
continue
next
print (int)sizeof(int) + 38
set var $pc = 0x10000000
continue
backtrace
detach
"""


@pytest.mark.slow
def test_a_simulated_board_is_debugged_like_a_real_one(
    write_network: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    need("gdb-multiarch")
    board = load_board("stm32f746")
    built = build_firmware(board, write_network(), tmp_path / "fw", BuildSettings(debug=True))
    (tmp_path / "script").write_text(SCRIPT)
    assert call("sim:stm32f746", built.folder, "--batch", "-ex", f"source {tmp_path / 'script'}") == 0
    text = capfd.readouterr().out
    for said in (
        "Breakpoint 1, network_init", "in main () at", "Hardware watchpoint 2: network.input_bytes", "New value = 16",
        "Temporary breakpoint 3, board_get (line=BOARD_WIRE)", "Value returned is $1 = -1", "$2 = 5",
        "Temporary breakpoint 4, main ()", "$3 = 42", "SIGSEGV", "Fault_Handler",
    ):  # fmt: skip
        assert said in text, text


def test_the_commands_are_those_of_the_board(firmware: Firmware, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(firmware.folder)
    assert call("qemu:mps2-an500", folder, "--dry-run", "-ex", "info registers") == 0
    server, debugger = map(shlex.split, capsys.readouterr().out.splitlines())
    assert server[server.index("-M") + 1] == "mps2-an500"
    assert {"-S", "tcp:127.0.0.1:3333", str(firmware.elf)} <= set(server)
    assert debugger[-4:] == ["-ex", "target remote 127.0.0.1:3333", "-ex", "info registers"]
    (folder / "firmware.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(firmware, board="stm32f746")))
    assert call("stm32f746", folder, "--dry-run", "--port", "4444") == 0
    server, debugger = map(shlex.split, capsys.readouterr().out.splitlines())
    assert server[:3] == ["openocd", "-f", "board/stm32f746g-disco.cfg"]
    assert "gdb_port 4444" in server
    assert not any("program" in word for word in server)
    assert debugger[-1] == "monitor reset halt"
    assert call("sim:stm32f746", folder, "--dry-run") == 0
    server, debugger = map(shlex.split, capsys.readouterr().out.splitlines())
    assert server[1:] == ["-m", "edgerig.simulator.gdb_server", str(folder), "3333"]
    assert debugger[-1] == "target remote 127.0.0.1:3333"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sim:stm32f746", "is for mps2-an500, not for stm32f746"),
        ("sim:mps2-an500", "Unknown board"),
        ("serial:///dev/ttyACM0", "by its probe"),
        ("qemu:mps2-an386", "is for mps2-an500, not for mps2-an386"),
        ("mps2-an500", "names no openocd"),
        ("stm32f7", "Unknown board"),
        ("qemu:none", "none"),
    ],
)
def test_what_cannot_be_debugged_is_told(
    address: str, words: str, firmware: Firmware, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(address, firmware.folder, "--dry-run") == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_server_that_fails_is_told_with_its_last_words() -> None:
    fails = [sys.executable, "-c", "import sys; print('no probe found'); sys.exit(3)"]
    with pytest.raises(TargetError, match=r"(?s)exit code 3.*no probe found"):
        debug(Debugging(fails, ["true"]))
