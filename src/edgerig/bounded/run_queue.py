"""How long a process has waited for a processor that others used."""

from __future__ import annotations

from pathlib import Path

#: Columns of a schedstat file (Linux's Documentation/scheduler/sched-stats.rst): ns on a processor, ns of waiting for
#: one, turns.
_COLUMNS = 3


class QueueTime:
    """The time that a process's threads wait for a processor, from the first `look` on.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self._threads = Path(f"/proc/{pid}/task")
        self._before: dict[str, int] | None = None

    def restart(self) -> None:
        """Count from the next `look` on."""
        self._before = None

    def look(self) -> None:
        """Begin to count, unless it has begun."""
        if self._before is None:
            self._before = self._waited()

    def seconds(self) -> float:
        """Seconds that the thread which waited longest has waited; 0 where the system does not tell."""
        before = self._before or {}
        return max((waited - before.get(thread, 0) for thread, waited in self._waited().items()), default=0) / 1e9

    def _waited(self) -> dict[str, int]:
        """Nanoseconds by thread."""
        waited = {}
        try:
            for file in self._threads.glob("*/schedstat"):
                columns = file.read_text().split()
                if len(columns) == _COLUMNS:
                    waited[file.parent.name] = int(columns[1])
        except OSError:  # the process or a thread has ended, or there is no /proc
            pass
        return waited
