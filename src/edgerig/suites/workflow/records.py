"""What a finished step leaves: a cached stage with its outputs, its log, and a record of both."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from edgerig.cache import StageCache
from edgerig.errors import SpecError
from edgerig.suites.workflow.contents import FileEntry, identity_of, total_size, within

#: Names within a stage.
RECORD, LOG, FILES = "step.json", "log.txt", "files"

State = Literal["run", "unchanged", "skipped", "failed", "not run", "stopped"]


class Output(msgspec.Struct, frozen=True):
    """What lies at an output: the files of a path, or a dataset's version in a store.

    Attributes:
        path: Relative to the step's folder; of a dataset its address with the version.
        files: Every file by its path within it; of a single file and its description by their names.
        folder: Whether the path is a folder.
        version: Of a dataset the SHA-256 of the version's manifest.
    """

    path: str
    files: dict[str, FileEntry] = {}
    folder: bool = False
    version: str | None = None

    @property
    def identity(self) -> str:
        """One digest of the content."""
        return self.version or identity_of(self.files)

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return total_size(self.files.values())


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A finished step.

    Attributes:
        stage: The key of its stage.
        portable: Its key without the machine; see `edgerig.suites.workflow.keys`.
        date: When it ended: ISO 8601, UTC.
        seconds: Wall time of the attempt that succeeded.
        attempts: How many it took.
        edgerig: The version that ran it.
        machine: The kind of machine, such as ``Linux x86_64``.
    """

    step: str
    command: tuple[str, ...]
    stage: str
    portable: str
    date: str
    seconds: float
    attempts: int
    edgerig: str
    machine: str
    outputs: dict[str, Output]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a step in one run of the workflow.

    Attributes:
        record: None of a step that failed or did not run.
        reason: Why it was not run, or what went wrong.
    """

    step: str
    state: State
    record: StepRecord | None = None
    reason: str = ""
    seconds: float = 0.0


def read_record(folder: Path) -> StepRecord | None:
    """The record in a stage; None where there is none that could be read."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=StepRecord)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def stored_record(cache: StageCache, key: str) -> StepRecord | None:
    """The record of a stage in the cache that is whole; None otherwise."""
    folder = cache.folder(key)
    return read_record(folder) if folder.is_dir() and cache.fault(key) is None else None


def input_of(record: StepRecord, output: str, path_within: str, cache: StageCache) -> tuple[str, str]:
    """An output as an input: its path in the cache (or address), and the identity of its content.

    Raises:
        SpecError: There is no such file in the output.
    """
    entry = record.outputs[output]
    if entry.version is not None:
        return entry.path, entry.version
    path = cache.folder(record.stage) / FILES / entry.path
    if not path_within:
        return str(path), entry.identity
    selected = within(entry.files, path_within)
    if not selected:
        listed = ", ".join(sorted(entry.files)[:10]) or "nothing"
        raise SpecError(f"{record.step}.{output} has no {path_within}: in it lie {listed}.")
    return str(path / path_within), identity_of(selected)
