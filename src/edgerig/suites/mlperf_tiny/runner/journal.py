"""The journal of a session as it lies on the disk: its key in the first line, then a record in each.

It may have been changed by hand, or by a disk that fails. What cannot be used of it is told line by line, and run
again; the rest is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgerig.errors import StorageError, storing
from edgerig.suites.mlperf_tiny.runner.records import (
    ColdRecord,
    FileRecord,
    ProbeRecord,
    Record,
    SessionKey,
    WindowRecord,
)
from edgerig.text import one_line

#: Says in a sentence's rest why a record cannot be one of the session; empty where it can.
RecordCheck = Callable[[Record], str]
_OTHER_FOLDER = "Choose another folder: --out, or remove this one."
_NOT_READABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Journal(NamedTuple):
    """What a journal holds.

    Attributes:
        lines: The lines that can be used, without their ends; the key's first.
        records: Those of all but the first.
        whole: Whether the file is these lines and nothing else.
        dropped: A sentence for each line that cannot be used.
    """

    lines: list[bytes]
    records: list[Record]
    whole: bool
    dropped: list[str]

    def data(self) -> bytes:
        """The file without what cannot be used."""
        return b"".join(line + b"\n" for line in self.lines)


def read_journal(path: Path, key: SessionKey, check: RecordCheck) -> Journal:
    """The journal ``path`` of the session ``key``; empty where its first line was never finished.

    Raises:
        StorageError: It cannot be read, or is of another session.
    """
    with storing(path):
        data = path.read_bytes()
    first, newline, rest = data.partition(b"\n")
    if not newline:
        return Journal([], [], not data, [])
    _check_key(path, first, key)
    journal = Journal([first.strip()], [], True, [])
    seen: set[object] = set()
    *lines, unfinished = rest.split(b"\n")
    for number, line in enumerate(lines, 2):
        record, problem = _decode(line, check, seen)
        if record is None:
            journal.dropped.append(f"{path}, line {number}: {problem}; that is run again.")
        else:
            journal.lines.append(line.strip())
            journal.records.append(record)
    if unfinished and (record := _decode(unfinished, check, seen)[0]) is not None:
        journal.lines.append(unfinished.strip())
        journal.records.append(record)
    return journal._replace(whole=journal.data() == data)


def _decode(line: bytes, check: RecordCheck, seen: set[object]) -> tuple[Record | None, str]:
    """The record of a line, or None and what is wrong with it; ``seen`` are the identities of those before."""
    try:
        record = msgspec.json.decode(line, type=Record)
    except _NOT_READABLE as error:
        return None, f"no record of this version of edgerig ({one_line(str(error)).rstrip('.')})"
    problem = check(record)
    if problem:
        return None, problem
    identity = _identity(record)
    if identity in seen:
        return None, "the same was recorded before, in another line"
    seen.add(identity)
    return record, ""


def _identity(record: Record) -> object:
    """What a session has only one record of."""
    match record:
        case FileRecord() | WindowRecord():
            return type(record), record.index
        case ColdRecord() | ProbeRecord():
            return type(record)


def _check_key(path: Path, line: bytes, key: SessionKey) -> None:
    folder = path.parent.parent
    try:
        other = msgspec.json.decode(line, type=SessionKey)
    except _NOT_READABLE as error:
        raise StorageError(
            f"{folder} holds a session of another version of edgerig, or one that was changed: {path}, line 1: "
            f"{one_line(str(error)).rstrip('.')}.",
            _OTHER_FOLDER,
        ) from error
    if other != key:
        raise StorageError(
            f"{folder} holds an unfinished session of something else: {_difference(other, key)}.", _OTHER_FOLDER
        )


def _difference(other: SessionKey, key: SessionKey) -> str:
    """In which field another session differs."""
    names = [name for name in SessionKey.__struct_fields__ if getattr(other, name) != getattr(key, name)]
    shown = {"samples": "the samples have changed", "device": f"the device was {other.device.name!r}"}
    shown["board"] = "its board or its network was another" if other.board else "it was no emulated board"
    return "; ".join(shown.get(name, f"its {name.replace('_', ' ')} is {getattr(other, name)}") for name in names)
