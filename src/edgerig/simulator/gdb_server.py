"""gdb's remote serial protocol for a simulated board.

    python -m edgerig.simulator.gdb_server FIRMWARE-FOLDER PORT

Serves one debugger on this machine's loopback, and ends with it.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from edgerig.boards.board import load_board
from edgerig.boards.firmware import read_firmware
from edgerig.errors import EdgerigError
from edgerig.simulator.debugged import REGISTERS, Access, Debugged, Stop
from edgerig.simulator.simulator import Simulator

_PACKET = 0x4000
_INTERRUPT = b"\x03"
#: Kinds of points in Z and z packets; both of the first are the same here.
_KINDS: dict[str, str] = {"0": "break", "1": "break", "2": "write", "3": "read", "4": "access"}
_WATCHES: dict[str, str] = {"write": "watch", "read": "rwatch", "access": "awatch"}


def target_xml() -> str:
    """gdb's description of the registers."""
    core = "".join(
        f'<reg name="{name.lower()}" bitsize="32"{kind}/>'
        for name, kind in (
            *((f"R{number}", "") for number in range(13)),
            *(("SP", ' type="data_ptr"'), ("LR", ""), ("PC", ' type="code_ptr"'), ("XPSR", ' regnum="25"')),
        )
    )
    floats = "".join(f'<reg name="d{number}" bitsize="64" type="ieee_double"/>' for number in range(16))
    return (
        '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target><architecture>arm</architecture>'
        f'<feature name="org.gnu.gdb.arm.m-profile">{core}</feature>'
        f'<feature name="org.gnu.gdb.arm.vfp">{floats}<reg name="fpscr" bitsize="32" type="int"/></feature></target>'
    )


#: gdb's number of each register: those after xpsr, which is 25, follow it.
_NUMBERS = {number if number < 16 else number + 9: number for number in range(len(REGISTERS))}


class Connection:
    """Packets of the protocol on a socket."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._bytes = bytearray()
        self._acknowledges = True

    def receive(self) -> str | None:
        """The next packet; None where the debugger has gone."""
        while True:
            start = self._bytes.find(b"$")
            end = self._bytes.find(b"#", start)
            if start >= 0 and 0 <= end <= len(self._bytes) - 3:
                body, check = bytes(self._bytes[start + 1 : end]), bytes(self._bytes[end + 1 : end + 3])
                del self._bytes[: end + 3]
                good = check == _check(body)
                if self._acknowledges:
                    self._link.sendall(b"+" if good else b"-")
                if good:
                    return body.decode("latin-1")
                continue
            data = self._link.recv(_PACKET)
            if not data:
                return None
            self._bytes += data

    def send(self, text: str) -> None:
        """A packet. What comes back as its acknowledgement is skipped by `receive`."""
        body = text.encode("latin-1")
        self._link.sendall(b"$" + body + b"#" + _check(body))

    def wants_to_stop(self, seconds: float) -> bool:
        """Whether Ctrl-C has come, or nobody is there any more; waits so many seconds for it."""
        if _INTERRUPT not in self._bytes and select.select([self._link], [], [], seconds)[0]:
            data = self._link.recv(_PACKET)
            if not data:
                return True
            self._bytes += data
        wants = _INTERRUPT in self._bytes
        self._bytes = self._bytes.replace(_INTERRUPT, b"")
        return wants

    def without_acknowledgements(self) -> None:
        """As the debugger asked, from the next packet on."""
        self._acknowledges = False


def _check(body: bytes) -> bytes:
    return f"{sum(body) & 255:02x}".encode()


class Server:
    """Answers of a board to one debugger.

    Args:
        board: What is debugged.
        connection: To the debugger.
    """

    def __init__(self, board: Debugged, connection: Connection) -> None:
        self._board, self._connection = board, connection
        self._last = Stop(5)
        self._answers: dict[str, Callable[[str], str]] = {
            "?": lambda rest: _stopped(self._last), "g": self._all_registers, "G": self._set_all_registers,
            "p": self._register, "P": self._set_register, "m": self._memory, "M": self._set_memory,
            "c": self._go_on, "s": self._step, "Z": self._insert, "z": self._remove, "q": self._query,
            "H": lambda rest: "OK", "T": lambda rest: "OK", "D": lambda rest: "OK",
        }  # fmt: skip

    def serve(self) -> None:
        """Until the debugger leaves, or is gone."""
        with contextlib.suppress(ConnectionError):
            self._serve()

    def _serve(self) -> None:
        while (packet := self._connection.receive()) is not None:
            if packet == "QStartNoAckMode":
                self._connection.send("OK")
                self._connection.without_acknowledgements()
                continue
            if packet.startswith("k"):
                return
            self._connection.send(self.answer(packet))
            if packet.startswith("D"):
                return

    def answer(self, packet: str) -> str:
        """To one packet; empty where it is not known, which says so to gdb."""
        known = self._answers.get(packet[:1])
        if known is None:
            return ""
        try:
            return known(packet[1:])
        except (ValueError, KeyError, IndexError):
            return "E16"

    def _all_registers(self, _: str) -> str:
        return "".join(self._board.register(index).hex() for index in range(17))

    def _set_all_registers(self, rest: str) -> str:
        content = bytes.fromhex(rest)
        for index in range(min(17, len(content) // 4)):
            self._board.set_register(index, content[4 * index : 4 * index + 4])
        return "OK"

    def _register(self, rest: str) -> str:
        return self._board.register(_NUMBERS[int(rest, 16)]).hex()

    def _set_register(self, rest: str) -> str:
        number, content = rest.split("=")
        self._board.set_register(_NUMBERS[int(number, 16)], bytes.fromhex(content))
        return "OK"

    def _memory(self, rest: str) -> str:
        address, count = (int(part, 16) for part in rest.split(","))
        content = self._board.peek(address, min(count, _PACKET // 2 - 16))
        return "E14" if content is None else content.hex()

    def _set_memory(self, rest: str) -> str:
        where, content = rest.split(":")
        return "OK" if self._board.poke(int(where.split(",")[0], 16), bytes.fromhex(content)) else "E14"

    def _go_on(self, rest: str) -> str:
        if rest:
            self._board.set_register(15, int(rest, 16).to_bytes(4, "little"))
        self._last = self._board.run(self._connection.wants_to_stop)
        return _stopped(self._last)

    def _step(self, _: str) -> str:
        self._last = self._board.step()
        return _stopped(self._last)

    def _insert(self, rest: str) -> str:
        kind, address, count = self._point(rest)
        if kind == "break":
            self._board.stop_at(address)
        else:
            watched: Access = "write" if kind == "write" else "read" if kind == "read" else "access"
            self._board.stop_on(watched, address, count)
        return "OK"

    def _remove(self, rest: str) -> str:
        kind, address, count = self._point(rest)
        self._board.go_past(kind, address, 1 if kind == "break" else count)
        return "OK"

    def _point(self, rest: str) -> tuple[str, int, int]:
        kind, address, count = rest.split(";")[0].split(",")
        return _KINDS[kind], int(address, 16), int(count, 16)

    def _query(self, rest: str) -> str:
        name, _, arguments = rest.partition(":")
        if name == "Supported":
            return f"PacketSize={_PACKET:x};qXfer:features:read+;QStartNoAckMode+"
        if name == "Xfer" and arguments.startswith("features:read:target.xml:"):
            begin, count = (int(part, 16) for part in arguments.rsplit(":", 1)[1].split(","))
            part = target_xml()[begin : begin + count]
            return ("l" if begin + count >= len(target_xml()) else "m") + part
        if rest.startswith("Rcmd,"):
            return self._monitor(bytes.fromhex(rest[5:]).decode("latin-1").strip())
        return {"Attached": "1", "C": "QC1", "fThreadInfo": "m1", "sThreadInfo": "l"}.get(name, "")

    def _monitor(self, command: str) -> str:
        if command not in ("reset", "reset halt"):
            return f"'{command}' is not known; there is: reset\n".encode().hex()
        self._board.reset()
        return "OK"


def _stopped(stop: Stop) -> str:
    if stop.watched is None:
        return f"T{stop.number:02x}thread:1;"
    kind, address = stop.watched
    return f"T{stop.number:02x}{_WATCHES[kind]}:{address:x};thread:1;"


def main(arguments: list[str]) -> int:
    """Serve the firmware in a folder on a port."""
    folder, port = arguments
    try:
        firmware = read_firmware(Path(folder))
        board = Debugged(Simulator(firmware.elf, load_board(firmware.board)))
    except EdgerigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        link, _ = listener.accept()
        with link:
            Server(board, Connection(link)).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
