"""A session's ``log.txt``: each line that went to the device or came from it, with the host's time."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from edgerig.errors import StorageError, storing
from edgerig.text import one_line

_logger = logging.getLogger(__name__)
#: Lines from the device that an error message may quote.
REMEMBERED = 5
#: Pieces that wait to be made text at most, where a device goes on talking while the host sends nothing.
MOST_UNWRITTEN = 64


class Transcript:
    """Appends to a file: ``12.345678 > infer 1 0%`` is the host's line, ``<`` the device's, ``#`` a note of the runner.

    Times are seconds since the transcript was opened; a session that is resumed goes on in the same file. Only one
    process may have it open: two sessions in one folder would mix their records.

    Lines are put down as they are and made text later, by `settle`: the host calls it when it has sent an ``infer``,
    while the device works on that.

    Args:
        path: The file; None to keep only the last lines.

    Raises:
        StorageError: It cannot be written, or another run writes to it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._recent: deque[str] = deque(maxlen=REMEMBERED)
        self._unwritten: list[tuple[str, Sequence[str], float]] = []
        self._start = time.monotonic()
        self._path, self._file = path, None
        if path is not None:
            with storing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8")
                self._lock(path, self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def recent(self) -> Sequence[str]:
        """The last lines that came from the device."""
        self.settle()
        return tuple(self._recent)

    def sent(self, text: str) -> None:
        """The host sent ``text``."""
        self._unwritten.append((">", (text,), time.monotonic()))

    def received(self, texts: Sequence[str], at: float) -> None:
        """The device sent the lines ``texts``, which were whole ``at`` on the clock of `time.monotonic`."""
        self._unwritten.append(("<", texts, at))
        if len(self._unwritten) > MOST_UNWRITTEN:
            self.settle()

    def settle(self) -> None:
        """Make text of what was put down.

        Raises:
            StorageError: As by `note`.
        """
        unwritten, self._unwritten = self._unwritten, []
        shown = []
        for mark, texts, at in unwritten:
            before = f"{at - self._start:.6f} {mark} "
            shown += [f"{before}{_shown(text)}\n" for text in texts]
            if mark == "<":
                self._recent.extend(texts[-REMEMBERED:])
        if self._file is not None and shown:
            self._append("".join(shown))

    def note(self, text: str) -> None:
        """What the runner does, for whoever reads the log; written out at once.

        Raises:
            StorageError: The disk is full, or the file cannot be written any more.
        """
        self._unwritten.append(("#", (text,), time.monotonic()))
        self.flush()

    def flush(self) -> None:
        """Hand what was written to the system."""
        self.settle()
        if self._file is not None:
            with storing(self._path):
                self._file.flush()

    def close(self) -> None:
        """Close the file; what cannot be written any more is lost, and was told before."""
        if self._file is not None:
            with contextlib.suppress(OSError, StorageError):
                self.settle()
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    @staticmethod
    def _lock(path: Path, file: IO[str]) -> None:
        """Keep other processes out until the file is closed, or this process ends in whatever way."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise StorageError(
                f"{path.parent} is in use: another run writes there.", "Wait for it, or choose another folder: --out."
            ) from None
        except OSError:
            # Some network file systems have no locks: there the folder is not guarded.
            _logger.debug("%s cannot be locked", path, exc_info=True)

    def _append(self, text: str) -> None:
        try:
            if self._file is not None:
                self._file.write(text)
        except OSError as error:
            with storing(self._path):
                raise error


def _shown(text: str) -> str:
    """A line without what a terminal would obey; nearly all have none of that."""
    return text if text.isascii() and text.isprintable() else one_line(text)
