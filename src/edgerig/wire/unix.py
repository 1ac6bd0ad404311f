"""Links over unix sockets: to an agent on the same machine, or through a socket that SSH forwards."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

import msgspec

from edgerig.errors import SpecError, UsageError
from edgerig.wire.link import PairLink

SCHEME = "unix://"
#: The longest path that a unix socket can have, in bytes (`sun_path` less its end).
PATH_LIMIT = 107


class UnixLink(PairLink):
    """A connection over a unix socket."""


class UnixAddress(msgspec.Struct, frozen=True):
    """The path of a unix socket. ``loopback`` as of a TCP address: only this machine can connect there."""

    path: str
    loopback: bool = True

    def __str__(self) -> str:
        return SCHEME + self.path


def parse_unix(text: str) -> UnixAddress:
    """The path out of ``unix:///path/to.sock``.

    Raises:
        SpecError: It is none, or not absolute, or too long for a socket.
    """
    path = text.removeprefix(SCHEME)
    if not text.startswith(SCHEME) or not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise SpecError(f"{text!r} is not the address of a unix socket.", "Write unix:///ABSOLUTE/PATH, three slashes.")
    length = len(os.fsencode(path))
    if length > PATH_LIMIT:
        raise SpecError(
            f"The path of a unix socket may have {PATH_LIMIT} bytes, and {path!r} has {length}.",
            "Choose a shorter one, such as one in /run or /tmp.",
        )
    return UnixAddress(path)


def connect_unix(path: str, timeout: float) -> UnixLink:
    """A connection to the unix socket at ``path``.

    Raises:
        OSError: There is none to be had; the caller knows what to say about it.
    """
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connected.settimeout(timeout)
        connected.connect(path)
    except BaseException:
        connected.close()
        raise
    return UnixLink(connected)


class UnixListener(socket.socket):
    """A listening unix socket that takes its file with it when it is closed."""

    def __init__(self, path: str) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self._path, self._file = Path(path), (0, 0)

    def listen_there(self, backlog: int) -> None:
        """Make the file, for its owner only, and listen."""
        # The mode must be right from the first moment on: Linux gives the file that of the unbound socket.
        os.fchmod(self.fileno(), 0o600)
        self.bind(str(self._path))
        self._path.chmod(0o600)
        status = self._path.lstat()
        self._file = (status.st_dev, status.st_ino)
        self.listen(backlog)

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError):
            status = self._path.lstat()
            # Another process may have replaced the socket file since.
            if (status.st_dev, status.st_ino) == self._file:
                self._path.unlink()


def listen_unix(address: UnixAddress, backlog: int = 128) -> UnixListener:
    """A socket that listens at ``address``, for its owner only (mode 0600); a stale one there is replaced.

    Raises:
        UsageError: Somebody listens there already, or there is a file that is no socket, or no permission.
    """
    _clear(address)
    listener = UnixListener(address.path)
    try:
        listener.listen_there(backlog)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"Cannot listen on {address}: {error.strerror or error}.",
            "Does the folder exist, and may you write there?",
        ) from error
    return listener


def _clear(address: UnixAddress) -> None:
    """Remove the file that a socket left behind whose owner is gone."""
    path = Path(address.path)
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UsageError(f"Cannot listen on {address}: there is a file that is no socket.", "Choose another path.")
        if _answers(address.path):
            raise UsageError(f"Cannot listen on {address}: another agent does.", "Stop that one, or choose another.")
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"Cannot listen on {address}: {error.strerror or error}.", "Choose another path.") from error


def _answers(path: str) -> bool:
    """Whether somebody listens at ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError as error:
            # A full backlog or a refused permission means that the socket is in use.
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
    return True
