"""Results of steps in a store, so that several machines share them: contents by their hash, and a file for each result.

::

    objects/ab/abcd..                       contents, as of datasets
    workflow/PORTABLE KEY/STAGE KEY.json    a result: its record, created once
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from edgerig.cache import StageCache
from edgerig.errors import StoreError
from edgerig.store import Missing, Stored, open_store
from edgerig.store.parallel import in_parallel
from edgerig.suites.workflow.contents import FileEntry, entries_of
from edgerig.suites.workflow.keys import StepKeys
from edgerig.suites.workflow.records import FILES, LOG, RECORD, StepRecord, read_record
from edgerig.suites.workflow.types import NAME

FOLDER = "workflow"


class SharedResult(msgspec.Struct, frozen=True):
    """The file of a result: the record, and the files of its stage by their paths."""

    record: StepRecord
    files: dict[str, FileEntry]


class Share:
    """The results in a store.

    Args:
        address: As `edgerig.store.open_store` takes it.

    Raises:
        StoreError: The store is not there, or refuses.
        MissingExtraError: obstore is not installed.
    """

    def __init__(self, address: str) -> None:
        self.store = open_store(address, writing=True)

    def push(self, record: StepRecord, stage: Path) -> None:
        """Store a result, if it is not there yet: first its contents, then its file."""
        key = _key(record.portable, record.stage)
        if self.store.size(key) is not None:
            return
        listed = {f"{FILES}/{name}": entry for name, entry in entries_of(stage / FILES).items()}
        for name in (RECORD, LOG):
            if (stage / name).is_file():
                listed[name] = entries_of(stage / name)[name]
        expected = {name: Stored(entry.sha256, entry.size) for name, entry in listed.items()}
        present = self.store.objects.present(expected.values())
        missing = {stored.sha256: name for name, stored in expected.items() if stored.sha256 not in present}

        def send(name: str) -> None:
            self.store.objects.send(stage / name, expected[name])

        for _ in in_parallel(send, missing.values()):
            pass
        self.store.objects.sync(stored.sha256 for stored in expected.values())
        self.store.create(key, msgspec.json.encode(SharedResult(record, listed)))

    def find(self, keys: StepKeys) -> StepRecord | None:
        """The result under a step's own key; else the latest of the same command and inputs, made elsewhere."""
        own = self._read(keys.portable, keys.full)
        if own is not None:
            return own.record
        stages = [name.removesuffix(".json") for name in self.store.files(f"{FOLDER}/{keys.portable}")]
        results = [result for stage in stages if (result := self._read(keys.portable, stage)) is not None]
        return max((result.record for result in results), key=lambda record: record.date, default=None)

    def has(self, keys: StepKeys) -> bool:
        """Whether there is a result under a step's own key."""
        return self.store.size(_key(keys.portable, keys.full)) is not None

    def fetch(self, portable: str, stage: str, cache: StageCache, log: Callable[[str], None]) -> Path:
        """The stage's folder in the cache, fetched if it is not there; every file is checked.

        Raises:
            StoreError: The result is not in the store, or an object is missing or damaged.
        """
        result = self._read(portable, stage)
        if result is None:
            raise StoreError(f"{self.store.address} has no result {stage[:12]} of that step.", "Run the step again.")
        shared = result

        def build(work: Path) -> None:
            log(f"{shared.record.step}: its result is fetched from {self.store.address}")

            def fetch(name: str) -> None:
                entry = shared.files[name]
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                self.store.objects.fetch(entry.sha256, work / name, entry.size)

            (work / FILES).mkdir(exist_ok=True)
            for _ in in_parallel(fetch, shared.files):
                pass
            # What is read from the cache later is the record that lies in the stage, which was not checked by `_read`.
            if read_record(work) != shared.record:
                raise self._foreign(_key(portable, stage))
            # Folders without files are not stored.
            for output in shared.record.outputs.values():
                if output.folder:
                    (work / FILES / output.path).mkdir(parents=True, exist_ok=True)

        return cache.get_or_build(stage, build)[0]

    def _read(self, portable: str, stage: str) -> SharedResult | None:
        key = _key(portable, stage)
        try:
            result = msgspec.json.decode(self.store.get(key), type=SharedResult)
        except Missing:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self.store.address}/{key} is damaged: {error}.", "Delete it; the step is run again."
            ) from error
        record = result.record
        paths = [output.path for output in record.outputs.values() if output.version is None]
        inside = all(_is_within(name) for name in (*result.files, *paths)) and NAME.fullmatch(record.step)
        if record.portable != portable or record.stage != stage or not inside:
            raise self._foreign(key)
        return result

    def _foreign(self, key: str) -> StoreError:
        return StoreError(f"{self.store.address}/{key} is not the result that its name says.", "Delete it.")


def _key(portable: str, stage: str) -> str:
    return f"{FOLDER}/{portable}/{stage}.json"


def _is_within(name: str) -> bool:
    """Whether a path stays within the folder of a stage."""
    parts = name.split("/")
    return bool(name) and not any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts)


def open_share(address: str | None) -> Share | None:
    """The store at an address; None where none is named."""
    return Share(address) if address is not None else None
