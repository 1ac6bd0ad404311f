"""The debugger's side of a simulated board, byte by byte: packets, registers, memory, points, steps, interrupts."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edgerig.boards.board import load_board
from edgerig.boards.build import build_firmware
from edgerig.boards.firmware import BuildSettings
from edgerig.simulator.debugged import REGISTERS, Debugged
from edgerig.simulator.gdb_server import Connection, Server, main, target_xml
from edgerig.simulator.simulator import WIRE, Simulator

PC, SP = 15, 13


@pytest.fixture
def simulator(write_network: Any) -> Simulator:
    board = load_board("stm32f746")
    return Simulator(build_firmware(board, write_network(), None, BuildSettings(debug=True)).elf, board)


class Debugger:
    """gdb, as far as a test needs one."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        link.settimeout(20)

    def send(self, text: str) -> None:
        self.link.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())

    def read(self) -> str:
        data = b""
        while b"#" not in data or len(data) < data.index(b"#") + 3:
            data += self.link.recv(1)
        body = data[data.index(b"$") + 1 : data.index(b"#")]
        assert int(data[-2:], 16) == sum(body) & 255
        return body.decode()

    def ask(self, text: str) -> str:
        self.send(text)
        return self.read()

    def register(self, number: int) -> int:
        return int.from_bytes(bytes.fromhex(self.ask(f"p{number:x}")), "little")


@pytest.fixture
def debugger(simulator: Simulator) -> Iterator[Debugger]:
    ours, theirs = socket.socketpair()
    server = Server(Debugged(simulator), Connection(theirs))
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield Debugger(ours)
    ours.close()
    thread.join(20)
    theirs.close()
    assert not thread.is_alive()


def test_it_stands_before_its_first_instruction(debugger: Debugger, simulator: Simulator) -> None:
    assert debugger.ask("?") == "T05thread:1;"
    assert debugger.register(PC) == simulator.symbols["Reset_Handler"]
    assert debugger.register(SP) == simulator.symbols["er_stack_top"]
    every = bytes.fromhex(debugger.ask("g"))
    assert int.from_bytes(every[4 * PC : 4 * PC + 4], "little") == simulator.symbols["Reset_Handler"]


def test_breakpoints_steps_and_what_is_written(debugger: Debugger, simulator: Simulator) -> None:
    here = simulator.symbols["network_init"]
    assert debugger.ask(f"Z0,{here:x},2") == "OK"
    assert debugger.ask("c") == "T05thread:1;"
    assert debugger.register(PC) == here
    # It goes on from a breakpoint; a step takes one instruction.
    assert debugger.ask("s") == "T05thread:1;"
    assert debugger.register(PC) in (here + 2, here + 4)
    assert debugger.ask(f"z0,{here:x},2") == "OK"
    kept = simulator.symbols["network"]
    assert debugger.ask(f"M{kept:x},4:78563412") == "OK"
    assert debugger.ask(f"m{kept:x},4") == "78563412"
    assert debugger.ask("P3=efbeadde") == "OK"
    assert debugger.register(3) == 0xDEADBEEF


@pytest.mark.parametrize(("kind", "name"), [("2", "watch"), ("4", "awatch")])
def test_a_watched_word_stops_behind_what_writes_it(
    kind: str, name: str, debugger: Debugger, simulator: Simulator
) -> None:
    seen = simulator.symbols["processor_last_fault"] + 24
    before = simulator.peek(seen, 4)
    assert debugger.ask(f"Z{kind},{seen:x},4") == "OK"
    stop = debugger.ask("c")
    assert stop == f"T05{name}:{seen:x};thread:1;"
    if kind == "2":
        assert simulator.peek(seen, 4) != before
    assert debugger.ask(f"z{kind},{seen:x},4") == "OK"


def test_a_board_that_waits_is_stopped_by_ctrl_c(debugger: Debugger, simulator: Simulator) -> None:
    debugger.send("c")
    assert debugger.link.recv(1) == b"+"
    debugger.link.settimeout(1.0)
    with pytest.raises(TimeoutError):
        debugger.link.recv(1)
    debugger.link.settimeout(20)
    debugger.link.sendall(b"\x03")
    assert debugger.read() == "T02thread:1;"
    assert simulator.idle
    assert simulator.read(WIRE), "it has announced itself to the host"


def test_a_crash_stops_in_its_handler(debugger: Debugger, simulator: Simulator) -> None:
    nowhere = 0x1000_0000
    assert debugger.ask(f"P{PC:x}={nowhere.to_bytes(4, 'little').hex()}") == "OK"
    assert debugger.ask("c") == "T0bthread:1;"
    assert debugger.register(PC) == simulator.symbols["Fault_Handler"]
    assert simulator.faults[-1].pc == nowhere
    assert debugger.ask("qRcmd," + b"reset".hex()) == "OK"
    assert debugger.register(PC) == simulator.symbols["Reset_Handler"]


@pytest.mark.parametrize(
    ("packet", "answer"),
    [
        ("m40011000,4", "E14"),
        ("m0,4", "E14"),
        ("M0,1:00", "E14"),
        ("mzz,4", "E16"),
        ("p7f", "E16"),
        ("Pf", "E16"),
        ("Z9,0,2", "E16"),
        ("vMustReplyEmpty", ""),
        ("X20000000,0:", ""),
        ("qSymbol::", ""),
        ("qAttached", "1"),
    ],
)
def test_what_it_cannot_do_is_said(packet: str, answer: str, debugger: Debugger) -> None:
    assert debugger.ask(packet) == answer


def test_a_packet_that_came_broken_is_asked_for_again(debugger: Debugger) -> None:
    debugger.link.sendall(b"$?#00")
    assert debugger.link.recv(1) == b"-"
    assert debugger.ask("?") == "T05thread:1;"
    assert debugger.ask("QStartNoAckMode") == "OK"
    debugger.send("?")
    assert debugger.link.recv(1) == b"$"


def test_a_debugger_that_is_killed_ends_the_server(simulator: Simulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    debugger = Debugger(ours)
    with theirs:
        thread = threading.Thread(target=Server(Debugged(simulator), Connection(theirs)).serve)
        thread.start()
        assert debugger.ask("?") == "T05thread:1;"
        # The connection is reset, not closed.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ours.close()
        thread.join(20)
    assert not thread.is_alive()


def test_the_registers_are_described_as_they_are_numbered(debugger: Debugger) -> None:
    tree = ElementTree.fromstring(target_xml().partition('gdb-target.dtd">')[2])
    names = [reg.get("name") for reg in tree.iter("reg")]
    assert names == [name.lower() for name, _ in REGISTERS]
    assert [int(reg.get("bitsize", 0)) for reg in tree.iter("reg")] == [8 * size for _, size in REGISTERS]
    parts = [debugger.ask(f"qXfer:features:read:target.xml:{begin:x},40") for begin in range(0, len(target_xml()), 64)]
    assert "".join(part[1:] for part in parts) == target_xml()
    assert [part[0] for part in parts] == ["m"] * (len(parts) - 1) + ["l"]


def test_a_folder_without_firmware_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "0"]) == 2
    assert "There is no firmware" in capsys.readouterr().err
