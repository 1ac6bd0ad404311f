"""Whether it pays to wait for a session's answer on a processor, instead of asleep."""

from __future__ import annotations

import os

#: Longest wait, in ns. A thread that sleeps and is woken loses some 10 to 50 us, and its caches to others.
LONGEST_NS = 100_000
#: Pause between an answer and the next request, in ns, below which other clients may ask at the same time.
GAP_NS = 50_000
#: Requests in a row, each by itself, before the first wait.
ALONE = 16
#: Requests for which there is no wait after one in vain: the first time, and at most.
FEWEST, MOST = 16, 1024


class BusyWait:
    """Decides that for each request of a pool.

    It pays for one client that asks again as soon as it has its answer: nobody else waits for this thread meanwhile.
    It does not where others ask as well, where the network takes longer, where there is but one core, and where others
    work on all of them: then the session waits for a core, too. Waits in vain tell, and there are fewer and fewer.

    Args:
        cores: That this process may use.
    """

    def __init__(self, cores: int | None = None) -> None:
        self._cores = len(os.sched_getaffinity(0)) if cores is None else cores
        self._alone = self._left_out = self._answered_ns = 0
        self._pause = FEWEST

    def allowance(self, now_ns: int) -> int:
        """How long to wait for the answer to a request that comes now, while nothing else is under way, in ns."""
        self._alone = self._alone + 1 if now_ns - self._answered_ns >= GAP_NS else 0
        if self._alone < ALONE or self._cores < 2:
            return 0
        if self._left_out:
            self._left_out -= 1
            return 0
        return LONGEST_NS

    def waited(self, *, in_vain: bool) -> None:
        """Learn from a wait."""
        if in_vain:
            self._left_out = self._pause
            self._pause = min(2 * self._pause, MOST)
        else:
            self._pause = max(self._pause - 1, FEWEST)

    def answered(self, now_ns: int) -> None:
        """Note that a request has its answer."""
        self._answered_ns = now_ns
