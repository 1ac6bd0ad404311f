"""Messages between a program and its child: pickled, with their length in front.

What the child sends is not trusted, since the engine in it has read a stranger's file: only plain values, arrays and
edgerig's own classes are taken from it.
"""

from __future__ import annotations

import io
import pickle
import socket
import struct
from collections.abc import Callable
from typing import Any

_LENGTH = struct.Struct("<Q")
#: Pieces that are read at once.
_PIECE = 1 << 20
#: Bytes of the longest message that is taken; a compiled network is one.
LARGEST = 1 << 36
#: Functions that numpy's arrays are put together with.
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
            EOFError: The other end is closed, or sends what is no message.
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
    """Makes nothing but plain values, arrays and instances of edgerig's classes."""

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
    """The message ``content`` of an untrusted peer.

    Raises:
        pickle.UnpicklingError: It holds something that no answer holds.
    """
    return _Careful(io.BytesIO(content)).load()
