"""The least speed of a message before its peer is given up: a deadline for the whole, whatever its length."""

from __future__ import annotations

import time

#: Bytes a second that any link in use carries: half of what a serial line does at 9,600 baud.
LEAST_RATE = 512.0
#: Seconds in which a message that has begun must move on, on a device: a host has its own `timeout`.
MESSAGE_SECONDS = 30.0


class TooSlow(TimeoutError):  # noqa: N818 - named as the state of a message, caught as a timeout
    """A message that had begun moves too slowly."""


class Deadline:
    """Until when a message that begins now must have moved on.

    In each ``grace`` seconds at least ``rate`` bytes a second must move. So a message of n bytes ends after
    n / rate + grace seconds at the latest, and one that is announced long and comes byte by byte after ``grace``.

    Args:
        grace: Seconds.
        rate: Bytes a second.
        moved: Bytes of it that have moved already.
    """

    def __init__(self, grace: float, rate: float = LEAST_RATE, moved: int = 0) -> None:
        self.grace, self.rate = grace, rate
        self._since, self._before = time.monotonic(), moved

    def left(self, moved: int) -> float:
        """Seconds until the next check, after ``moved`` bytes have been transferred.

        Raises:
            TooSlow: Too few of them did. TimeoutError: None did since it was judged last.
        """
        now = time.monotonic()
        spent, progress = now - self._since, moved - self._before
        if spent < self.grace:
            return self.grace - spent
        if progress <= 0:
            raise TimeoutError("nothing moved in time")
        if progress < self.rate * self.grace:
            raise TooSlow(f"only {progress} bytes of a message moved in {spent:.3g} s")
        self._since, self._before = now, moved
        return self.grace
