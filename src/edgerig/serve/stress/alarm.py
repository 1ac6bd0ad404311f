"""Wakes an event loop at a time to the microsecond; the loop's own timers round up to the next millisecond."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import time
from collections.abc import Callable

_MONOTONIC, _ABSOLUTE = 1, 1
_NONBLOCKING, _CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
#: ``struct itimerspec``: interval and time, each seconds and nanoseconds.
_TIMERSPEC = struct.Struct("@llll")


class Alarm:
    """Calls ``ring`` on the running event loop at the time of `set`. Linux's timerfd is used.

    Raises:
        OSError: The system has none.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._library.timerfd_create(_MONOTONIC, _NONBLOCKING | _CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create failed")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._file, self._rung)

    def set(self, nanoseconds: int) -> None:
        """Ring at ``nanoseconds`` of `time.monotonic_ns`, or at once if that is over."""
        # A time of zero would switch it off.
        seconds, rest = divmod(max(nanoseconds, 1), 10**9)
        self._library.timerfd_settime(self._file, _ABSOLUTE, _TIMERSPEC.pack(0, 0, seconds, rest), None)

    def close(self) -> None:
        """Ring no more."""
        self._loop.remove_reader(self._file)
        os.close(self._file)

    def _rung(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:
            return
        self._ring()


def now() -> int:
    """The tool's clock, in ns; all processes of this machine have the same."""
    return time.monotonic_ns()
