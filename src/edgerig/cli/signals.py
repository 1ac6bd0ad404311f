"""SIGTERM and SIGHUP stop a command as cleanly as Ctrl-C; and once it has ended, none of them is heard by Python."""

from __future__ import annotations

import signal
from typing import Any

_STOPPING = ("SIGTERM", "SIGHUP")


def stop_on_termination() -> None:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, so that they end a run as Ctrl-C does.

    One that is ignored stays so: `nohup` asks for that, and a shell that closes must not end what was begun by it.
    """

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    for number in _numbers(_STOPPING):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)


def end_at_once() -> None:
    """Let a signal end the process from now on: the work is over, and in the middle of the interpreter's own end, or of
    the last message, there would be a traceback."""
    for number in _numbers(("SIGINT", *_STOPPING)):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _numbers(names: tuple[str, ...]) -> list[int]:
    """Those that this system has."""
    return [getattr(signal, name) for name in names if hasattr(signal, name)]
