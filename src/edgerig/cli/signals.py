"""SIGTERM stops as cleanly as Ctrl-C."""

from __future__ import annotations

import signal
from typing import Any


def stop_on_termination() -> None:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, so that they end a run as Ctrl-C does."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, stop)
