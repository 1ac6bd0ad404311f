"""Devices that are broken or hostile: what they answer is refused by name, or counts as not told; never believed.

Each is the plain device of ``examples/wire`` with one answer twisted, over a real socket.
"""

import math
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig.targets.resolve import target_for

EXAMPLE = Path(__file__).parents[3] / "examples" / "wire"
DATA, MODEL, PROCESS, OUTPUT, STATS, HELLO, RUN, PROFILE, MEMORY = range(3, 12)
X = [np.arange(40, dtype=np.float32).reshape(10, 4)]
NAN, INF, LEAST, MOST = math.nan, math.inf, -(2**63), 2**63 - 1
ESC = "\x1b[2J\x1b]0;owned\x07\u202e\n"

Twist = Callable[[bytes, bytes], tuple[bytes, bytes]]


class Hostile:
    """Serves twisted sessions until it is closed. ``twists``: kind of request to what becomes of its answer."""

    def __init__(self, plain: Any, twists: dict[int, Any], kinds: str = "3,4,5,6,7,8,9,10,11,12,14") -> None:
        self.kinds = [int(kind) for kind in kinds.split(",")]
        machine = {"host": "toy", "system": "none", "architecture": "toy", "cpu": "toy", "cores": 1}
        self.sessions = 0
        hostile = self

        class Session(plain.Session):
            def answer(self, kind: int, header: bytes, payload: bytes) -> tuple[bytes, bytes]:
                self.kind = kind
                answer = super().answer(kind, header, payload)
                twist = twists.get(kind)
                return twist(*answer) if twist is not None and not isinstance(twist, Raw) else answer

            def send(self, kind: int, request: int, header: bytes = b"", payload: bytes = b"", flags: int = 0) -> None:
                twist = twists.get(getattr(self, "kind", 0))
                if isinstance(twist, Raw) and kind == plain.OK:
                    twist.send(super().send, self, request, header, payload, flags)
                else:
                    super().send(kind, request, header, payload, flags)

        self.listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    connection, _ = self.listener.accept()
                except OSError:
                    return
                hostile.sessions += 1

                def talk(connection: socket.socket = connection) -> None:
                    with connection:
                        try:
                            Session(connection, self.kinds, machine, 4).serve()
                        except OSError:
                            return

                threading.Thread(target=talk, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Raw:
    """Sends something else than one OK to the request: ``how(send, session, request, header, payload, flags)``."""

    def __init__(self, how: Callable[..., None]) -> None:
        self.send = how


def use(address: str, artifact: Any, protocol: str = "run") -> dict[str, Any]:
    """All that a measurement asks of a device."""
    target = target_for(address, {"timeout": 3, "protocol": protocol})
    try:
        told: dict[str, Any] = {"checked": target.check()}
        with target.open(artifact, "toy", {}) as session:
            told["report"], told["run"] = session.load_report, session.run(X)
            told["memory"], told["profile"] = session.memory(), session.profile(X)
            told["machine"], told["transport"] = session.machine(), session.transport(X, 3)
            told["clock"] = session.check_clock(X)
            told["sensors"] = session.sensors()  # type: ignore[attr-defined]
        return told
    finally:
        target.close()


def is_clean(text: str) -> bool:
    return not set(text) & set("\x1b\x07\x00\x9b\u202e")


def ran(times: Any = None, output: Callable[[bytes], bytes] = bytes, header: Any = None) -> Twist:
    """Other times (a number, or of each), another output, or another header."""

    def twist(own: bytes, payload: bytes) -> tuple[bytes, bytes]:
        (count,) = struct.unpack_from("<I", own)
        told = payload[: 8 * count]
        if times is not None:
            told = struct.pack("<q", times) * count
        tensor = output(payload[8 * count :])
        head = struct.pack("<IHHI", count, 1, 0, len(tensor)) if header is None else header(count, len(tensor))
        return head, told + tensor

    return twist


def loaded(**changes: Any) -> Twist:
    def twist(header: bytes, payload: bytes) -> tuple[bytes, bytes]:
        told = msgspec.msgpack.decode(payload)
        for name, value in changes.items():
            told[name] = value(told[name]) if callable(value) else value
        return header, msgspec.msgpack.encode(told)

    return twist


def spec(**changes: Any) -> Callable[[Any], Any]:
    return lambda specs: [{**specs[0], **changes}]
