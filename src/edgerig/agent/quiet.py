"""A rate-limited log for events that unauthenticated clients can cause."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edgerig.agent.lease import printable

#: Most lines in a period of so many seconds; further ones are counted only.
MOST_LINES = 30
SECONDS = 60.0
_LONGEST = 300


class QuietLog:
    """Passes on a bounded number of lines to ``log``.

    Args:
        log: Called with each line.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log, self._lock = log, threading.Lock()
        self._since, self._lines = time.monotonic(), 0

    def __call__(self, text: str) -> None:
        """Log the printable part of ``text``, unless too much was logged in the last minute."""
        with self._lock:
            now = time.monotonic()
            if now - self._since > SECONDS:
                unsaid = self._lines - MOST_LINES
                self._since, self._lines = now, 0
                if unsaid > 0:
                    self._log(f"{unsaid} more lines about who was refused were left out")
            self._lines += 1
            if self._lines == MOST_LINES:
                text += "; more of the kind are counted only, for a minute"
            within_limit = self._lines <= MOST_LINES
        if within_limit:
            self._log(printable(text, _LONGEST))
