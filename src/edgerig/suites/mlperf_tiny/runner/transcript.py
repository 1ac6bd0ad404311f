"""A session's ``log.txt``: each line that went to the device or came from it, with the host's time."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from edgerig.errors import storing
from edgerig.text import one_line

#: Lines from the device that an error message may quote.
REMEMBERED = 5


class Transcript:
    """Appends to a file: ``12.345678 > infer 1 0%`` is the host's line, ``<`` the device's, ``#`` a note of the runner.

    Times are seconds since the transcript was opened; a session that is resumed goes on in the same file.

    Args:
        path: The file; None to keep only the last lines.

    Attributes:
        recent: The last lines that came from the device.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.recent: deque[str] = deque(maxlen=REMEMBERED)
        self._start = time.monotonic()
        self._path, self._file = path, None
        if path is not None:
            with storing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def sent(self, text: str) -> None:
        """The host sent ``text``."""
        self._write(">", text, time.monotonic())

    def received(self, texts: Sequence[str], at: float) -> None:
        """The device sent the lines ``texts``, which were whole ``at`` on the clock of `time.monotonic`."""
        self.recent.extend(texts[-REMEMBERED:])
        if self._file is not None:
            before = f"{at - self._start:.6f} < "
            self._append("".join([f"{before}{_shown(text)}\n" for text in texts]))

    def note(self, text: str) -> None:
        """What the runner does, for whoever reads the log; written out at once.

        Raises:
            StorageError: The disk is full, or the file cannot be written any more.
        """
        self._write("#", text, time.monotonic())
        self.flush()

    def flush(self) -> None:
        """Hand what was written to the system."""
        if self._file is not None:
            with storing(self._path):
                self._file.flush()

    def close(self) -> None:
        """Close the file; what cannot be written any more is lost, and was told before."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, mark: str, text: str, at: float) -> None:
        if self._file is not None:
            self._append(f"{at - self._start:.6f} {mark} {_shown(text)}\n")

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
