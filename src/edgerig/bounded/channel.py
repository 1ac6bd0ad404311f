"""Messages between a program and its child: pickled, prefixed with their length.

The child's messages are not trusted, since the engine in it has read an untrusted file: only plain values, arrays and
edgerig's own classes are accepted from it.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct("<Q")
#: Bytes per read.
_PIECE = 1 << 20
#: Longest message in bytes; a compiled network is one message.
LARGEST = 1 << 36
#: Functions that numpy's arrays are unpickled with.
_ARRAYS = frozenset({"_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype"})
_PLAIN = {
    "pathlib": ("PosixPath", "Path", "PurePosixPath"),
    "builtins": ("set", "frozenset", "bytearray", "slice", "complex"),
    "collections": ("OrderedDict",),
    "msgspec._core": ("UNSET", "NODEFAULT"),
    "msgspec._utils": ("rebuild",),
}


class Channel:
    """One end of a connection.

    Args:
        connected: A stream socket.
        wait: Called with the socket before each read; returns when there is something to read, or raises.
    """

    def __init__(self, connected: socket.socket, wait: Callable[[], None] = lambda: None) -> None:
        self.socket, self.wait = connected, wait

    def send(self, message: bytes) -> None:
        """Send one message."""
        self.socket.sendall(_LENGTH.pack(len(message)))
        self.socket.sendall(message)

    def receive(self) -> bytes:
        """The next message.

        Raises:
            EOFError: The other end is closed, or sends an invalid message.
        """
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > LARGEST:
            raise EOFError
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        content = bytearray()
        while len(content) < size:
            self.wait()
            piece = self.socket.recv(min(_PIECE, size - len(content)))
            if not piece:
                raise EOFError
            content += piece
        return bytes(content)


class _Careful(pickle.Unpickler):
    """Unpickles only plain values, arrays and instances of edgerig's classes."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in _ARRAYS:
            return super().find_class(module, name)
        if name in _PLAIN.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("edgerig."):
            member = super().find_class(module, name)
            if isinstance(member, type):
                return member
        raise pickle.UnpicklingError(f"{module}.{name} has no business in a message")


def careful_loads(content: bytes) -> Any:
    """Unpickle the message ``content`` of an untrusted peer.

    Raises:
        pickle.UnpicklingError: It contains an object of any other class.
    """
    return _Careful(io.BytesIO(content)).load()
