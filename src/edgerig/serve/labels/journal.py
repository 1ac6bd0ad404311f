"""The journal of labelling: what was acknowledged is in it, whatever happens to the server afterwards.

A file of lines of JSON; the first says of which dataset and version it is. Lines are appended and synchronized with the
disk, those of several people at once together, before anybody is told that they are taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import threading
from pathlib import Path
from typing import Any

import msgspec

from edgerig.errors import StorageError, UsageError, storing
from edgerig.files import sync_folder
from edgerig.serve.labels.journal_lines import FORM, Added, Beginning, Committed, Line, Taken, Upon, Writing

NAME = "journal.jsonl"
_decoder = msgspec.json.Decoder(Line)


class Journal:
    """The journal of one dataset, of which one server alone writes; use `open_journal`.

    Attributes:
        path: The file. beginning: Its first line.
        records: The operations that were in it when it was opened.
        version: The one that was written to the store last, or that the operations are upon.
        revisions: Of each picture the one that is in the store. versions: The one that it was written in.
        upon: What the operations on some of them are upon.
        added: Versions whose new pictures are labelled as well, in their order. classes: that came meanwhile.
        writing: A version that may have been written: nobody knows.
        former: Ids of people's operations in journals before it.
        recovered: Bytes at its end that were no whole line, and are in a file beside it now.
    """

    def __init__(self, path: Path, descriptor: int, lines: list[Line], recovered: int, former: set[str]) -> None:
        first = lines[0]
        assert isinstance(first, Beginning)
        self.path, self.beginning, self.recovered, self.former = path, first, recovered, former
        self.records = [line.record for line in lines if isinstance(line, Taken)]
        self.version = first.version
        self.revisions: dict[str, int] = {}
        self.versions: dict[str, int] = {}
        self.upon: dict[str, Upon] = {}
        self.added: list[int] = []
        self.classes: list[str] = []
        self.writing: Writing | None = None
        for line in lines:
            self.note(line)
        self._descriptor, self._closing = descriptor, threading.Lock()
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    def note(self, line: Line) -> None:
        """Take in what a line says of the store."""
        if isinstance(line, Writing):
            self.writing = line
        elif isinstance(line, Committed):
            self.writing, self.version = None, line.version
            self.revisions.update(line.revisions)
            self.versions.update(dict.fromkeys(line.revisions, line.version))
            self.upon.update(line.upon)
        elif isinstance(line, Added):
            self.added.extend([line.version] if line.version is not None else [])
            self.classes.extend(line.classes)

    async def append(self, line: Line) -> None:
        """Write a line; returns when it is on the disk. Lines are in the order of the calls.

        Raises:
            StorageError: It is not: the disk is full, say.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((msgspec.json.encode(line) + b"\n", done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await done
        self.note(line)

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: StorageError | None = None
            try:
                await asyncio.to_thread(self._store, b"".join(data for data, _ in batch))
            except StorageError as failure:
                error = failure
            for _, done in batch:
                if done.cancelled():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)

    def _store(self, data: bytes) -> None:
        # After its end the number of the descriptor may be another file's.
        with self._closing, storing(self.path):
            if self._descriptor < 0:
                raise StorageError(f"{self.path} is closed.", "Start `edgerig label` again.")
            end = os.lseek(self._descriptor, 0, os.SEEK_END)
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view) :]
                os.fsync(self._descriptor)
            except OSError:
                # Half a line must not stand before the next one.
                os.ftruncate(self._descriptor, end)
                raise

    def close(self) -> None:
        """Let another server have it; what is being written is written first, and nothing afterwards."""
        with self._closing:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1


def open_journal(folder: Path, dataset: str, version: int, typed: str = "") -> Journal:
    """The journal in a folder: the one that is there, or a new one.

    Args:
        dataset: Identity of the dataset. version: What a new journal's operations are upon.
        typed: Its address, which journals of earlier versions have instead.

    Raises:
        UsageError: Another server has it open, or it is another dataset's.
        StorageError: It cannot be written, or is damaged in its middle.
    """
    path = folder / NAME
    descriptor = _open_alone(path)
    try:
        lines, recovered = _read(path, descriptor)
        earlier = [line for other in sorted(folder.glob("until-*.jsonl")) for line in _whole_lines(other)]
        if not lines:
            keys = [line.key for line in earlier if isinstance(line, Beginning)]
            lines = [Beginning(FORM, dataset, version, keys[0] if keys else secrets.token_hex(8))]
            with storing(path):
                os.write(descriptor, msgspec.json.encode(lines[0]) + b"\n")
                os.fsync(descriptor)
                sync_folder(folder)
                sync_folder(folder.parent)
        first = lines[0]
        if not isinstance(first, Beginning) or first.dataset not in (dataset, typed) or first.form != FORM:
            what = first.dataset if isinstance(first, Beginning) else "something else"
            raise UsageError(
                f"The journal in {folder} is of {what}, not of {dataset}.", "Give another folder: --journal."
            )
    except BaseException:
        os.close(descriptor)
        raise
    # A network may propose again what nobody decided on.
    former = {line.record.id for line in earlier if isinstance(line, Taken) and line.record.who}
    return Journal(path, descriptor, lines, recovered, former)


def _open_alone(path: Path) -> int:
    """Open a journal that no other server has open.

    Raises:
        UsageError: One has. StorageError: It cannot be opened.
    """
    while True:
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise UsageError(
                f"Another server labels with the journal in {path.parent}.",
                "Use its page: several people may. Or give another folder: --journal.",
            ) from error
        # A server that had it may have put it aside between the two calls: its name is another file's then.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def archive(journal: Journal) -> None:
    """Put a journal aside that holds nothing that is not in the store, so that the next one begins at its version."""
    number = len(list(journal.path.parent.glob("until-*.jsonl"))) + 1
    with storing(journal.path):
        journal.path.replace(journal.path.with_name(f"until-{number:06d}.jsonl"))
        sync_folder(journal.path.parent)


def _read(path: Path, descriptor: int) -> tuple[list[Line], int]:
    """The lines of a file, and how many bytes at its end were none: a server that was killed had not acknowledged them.

    They are moved to a file beside it.
    """
    with storing(path):
        data = path.read_bytes()
    lines: list[Line] = []
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        line = _line(data[start:end]) if end >= 0 else None
        if line is None:
            break
        lines.append(line)
        start = end + 1
    rest = data[start:]
    if not rest:
        return lines, 0
    if b"\n" in rest:
        # A write that was cut short has no end of its line: this one was acknowledged, and something else damaged it.
        raise StorageError(
            f"{path} is damaged in line {len(lines) + 1}.", "Mend or remove that line; the rest is not lost."
        )
    with storing(path):
        path.with_name(f"torn-at-{start}.bin").write_bytes(rest)
        os.ftruncate(descriptor, start)
        os.fsync(descriptor)
    return lines, len(rest)


def _whole_lines(path: Path) -> list[Line]:
    """The lines of a journal that was put aside."""
    with storing(path):
        parts = path.read_bytes().split(b"\n")
    return [line for line in map(_line, parts) if line is not None]


def _line(data: bytes) -> Line | None:
    try:
        line: Any = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return line if isinstance(line, Line) else None
