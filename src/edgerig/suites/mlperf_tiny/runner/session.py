"""The folder of a session: the official runner's three files, and edgerig's own in a folder below.

``log.txt``, ``results.txt`` and ``results.json`` lie where the official checker looks for them, and nothing else lies
there, because it complains of other files. ``edgerig/`` has the journal, the summary and the report.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO, Self

import msgspec

from edgerig.errors import StorageError, storing
from edgerig.files import canonical_json
from edgerig.suites.mlperf_tiny.runner.records import Record, SessionKey

OURS = "edgerig"
LOG, RESULTS_TEXT, RESULTS_JSON = "log.txt", "results.txt", "results.json"
JOURNAL, SUMMARY, REPORT = f"{OURS}/journal.jsonl", f"{OURS}/summary.json", f"{OURS}/report.html"


class Session:
    """A session's folder, open for records.

    Args:
        folder: It is made where there is none. An unfinished session in it is gone on with.
        key: What the session is.

    Attributes:
        folder: As above.
        records: Those of an earlier, unfinished run of it.

    Raises:
        StorageError: The folder holds a finished session, one of something else, or no session; or it cannot be
            written.
    """

    def __init__(self, folder: Path, key: SessionKey) -> None:
        self.folder = folder
        check_free(folder)
        path = folder / JOURNAL
        first = canonical_json(key)
        self.records: list[Record] = []
        whole = b""
        if path.exists():
            whole, self.records = _read(path, first, key)
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not whole:
                path.write_bytes(first + b"\n")
            else:
                # The line that was being written when the session ended is written again.
                os.truncate(path, len(whole))
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


def _read(path: Path, first: bytes, key: SessionKey) -> tuple[bytes, list[Record]]:
    """The whole lines of a journal that begins with ``first``, and their records."""
    with storing(path):
        data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    lines = whole.splitlines()
    if not lines:
        return b"", []
    if lines[0] != first:
        raise StorageError(
            f"{path.parent.parent} holds an unfinished session of something else: {_difference(lines[0], key)}.",
            "Choose another folder: --out, or remove this one.",
        )
    try:
        return whole, [msgspec.json.decode(line, type=Record) for line in lines[1:]]
    except msgspec.DecodeError as error:
        raise StorageError(f"{path} is damaged: {error}.", "Remove the folder and start again.") from error


def _difference(line: bytes, key: SessionKey) -> str:
    """In which field another session differs."""
    try:
        other = msgspec.json.decode(line, type=SessionKey)
    except msgspec.DecodeError:
        return "it is of another version of edgerig"
    names = [name for name in SessionKey.__struct_fields__ if getattr(other, name) != getattr(key, name)]
    shown = {"samples": "the samples have changed", "device": f"the device was {other.device.name!r}"}
    shown["board"] = "its board or its network was another" if other.board else "it was no emulated board"
    return "; ".join(shown.get(name, f"its {name.replace('_', ' ')} is {getattr(other, name)}") for name in names)
