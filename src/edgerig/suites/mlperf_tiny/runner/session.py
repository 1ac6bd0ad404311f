"""The folder of a session: the official runner's three files, and edgerig's own in a folder below.

``log.txt``, ``results.txt`` and ``results.json`` lie where the official checker looks for them, and nothing else lies
there, because it complains of other files. ``edgerig/`` has the journal, the summary and the report.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import IO, Self

import msgspec

from edgerig.errors import StorageError, storing
from edgerig.files import canonical_json, write_bytes
from edgerig.suites.mlperf_tiny.runner.journal import Journal, RecordCheck, read_journal
from edgerig.suites.mlperf_tiny.runner.records import Record, SessionKey

OURS = "edgerig"
LOG, RESULTS_TEXT, RESULTS_JSON = "log.txt", "results.txt", "results.json"
JOURNAL, SUMMARY, REPORT = f"{OURS}/journal.jsonl", f"{OURS}/summary.json", f"{OURS}/report.html"


class Session:
    """A session's folder, open for records.

    Args:
        folder: It is made where there is none. An unfinished session in it is gone on with.
        key: What the session is.
        check: Says of an earlier record why it cannot be one of the session; empty where it can.

    Attributes:
        folder: As above.
        records: Those of an earlier, unfinished run of it.
        dropped: A sentence for each line of its journal that cannot be used, and is taken out.

    Raises:
        StorageError: The folder holds a finished session, one of something else, or no session; or it cannot be
            written.
    """

    def __init__(self, folder: Path, key: SessionKey, check: RecordCheck = lambda _: "") -> None:
        self.folder = folder
        check_free(folder)
        path = folder / JOURNAL
        journal = read_journal(path, key, check) if path.exists() else Journal([], [], False, [])
        self.records, self.dropped = journal.records, journal.dropped
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not journal.lines:
            write_bytes(path, canonical_json(key) + b"\n")
        elif not journal.whole:
            # The line that was being written when the session ended, and what cannot be used, is recorded again.
            write_bytes(path, journal.data())
        with storing(path):
            self._file: IO[bytes] = path.open("ab")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        # What could not be written was told by `append`, and is not tried again.
        with contextlib.suppress(OSError):
            self._file.close()

    def append(self, record: Record) -> None:
        """Keep a record; it is with the system when this returns.

        Raises:
            StorageError: It cannot be written.
        """
        with storing(self.folder / JOURNAL):
            self._file.write(msgspec.json.encode(record) + b"\n")
            self._file.flush()
        self.records.append(record)


def check_free(folder: Path) -> None:
    """That a session can begin or go on in ``folder``, before a device is bothered.

    Raises:
        StorageError: It holds a finished session, or other files, or is no path that can be used.
    """
    with storing(folder):
        if (folder / SUMMARY).exists():
            raise StorageError(
                f"{folder} holds a finished session.", "Choose another folder: --out, or remove this one."
            )
        if not folder.exists() or (folder / JOURNAL).exists():
            return
        if not folder.is_dir():
            raise StorageError(f"{folder} is a file.", "Choose a folder: --out.")
        # A session that failed before the device had answered leaves a log, to which the next one adds.
        others = sorted(path.name for path in folder.iterdir() if path.name not in (LOG, OURS))
        if others:
            raise StorageError(
                f"{folder} holds {others[0]!r}, which is not of a session.",
                "Choose an empty folder, or a new one: --out.",
            )
