"""A history of tests at one address: records are appended, and read with those of all other writers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Protocol

from edgerig.errors import StorageError
from edgerig.results.tests.folder import FolderRecords
from edgerig.results.tests.record import MAX_RECORD, RecordedTest, RecordFile, decode_record, encode_record

#: The usual folder of tests within that of the bundles.
TESTS = "tests"
#: Records that are read at once from a store, where most of the time is waiting.
_AT_ONCE = 16


class Records(Protocol):
    """Where records lie: a folder, or a prefix of an object store."""

    @property
    def address(self) -> str:
        """What `open_history` opens again."""

    def names(self) -> list[str]:
        """Names of all files, sorted; raises StorageError."""

    def read(self, name: str, limit: int) -> bytes:
        """The first ``limit + 1`` bytes of a file; raises StorageError."""

    def create(self, name: str, data: bytes) -> bool:
        """Create a file, whole or not at all, and tell whether it is new; raises StorageError."""


class TestHistory:
    """The tests at an address, in the order of time.

    Args:
        records: Where they lie.
    """

    __test__ = False  # pytest must not take it for a test class

    def __init__(self, records: Records) -> None:
        self.records = records

    @property
    def address(self) -> str:
        """Folder or address in a store."""
        return self.records.address

    def append(self, record: RecordedTest) -> str:
        """Add a test and return the name of its file. Appending a test again changes nothing.

        Raises:
            StorageError: It could not be written, or another file has taken its name.
        """
        file = encode_record(record)
        self.put(file)
        return file.name

    def put(self, file: RecordFile) -> None:
        """As `append`, of a record that is a file already."""
        if not self.records.create(file.name, file.data):
            decode_record(file.name, self.records.read(file.name, MAX_RECORD))

    def names(self) -> list[str]:
        """Names of the files, the oldest first, foreign ones among them."""
        return self.records.names()

    def read(
        self, names: Iterable[str] | None = None, say: Callable[[str], None] = lambda text: None
    ) -> Iterator[tuple[str, RecordedTest]]:
        """The tests of all files, or of ``names``, each with the name of its file.

        Args:
            names: The files to read; all by default.
            say: Receives a message about each file that is left out: foreign, cut off, changed, of another version.

        As many are read ahead as there are threads: a record has up to `MAX_RECORD` bytes.
        """
        waiting = iter(self.names() if names is None else list(names))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            ahead = deque((name, threads.submit(self._read, name)) for name in islice(waiting, _AT_ONCE))
            while ahead:
                name, future = ahead.popleft()
                outcome = future.result()
                ahead.extend((name, threads.submit(self._read, name)) for name in islice(waiting, 1))
                if isinstance(outcome, StorageError):
                    say(f"left out: {outcome.message}")
                else:
                    yield name, outcome

    def _read(self, name: str) -> RecordedTest | StorageError:
        try:
            return decode_record(name, self.records.read(name, MAX_RECORD))
        except StorageError as error:
            return error


def open_history(address: str | Path, *, writing: bool = False) -> TestHistory:
    """The history at ``address``: a folder, which need not exist yet, or a store (`edgerig.store.open_store`).

    Args:
        writing: Whether tests will be appended.

    Raises:
        StoreError: The store cannot be reached. UsageError: The address is not valid, or there are no keys for it.
        MissingExtraError: The client of stores is not installed.
    """
    if "://" not in str(address):
        return TestHistory(FolderRecords(Path(address)))
    from edgerig.results.tests.object_records import ObjectRecords
    from edgerig.store import open_store

    return TestHistory(ObjectRecords(open_store(str(address), writing=writing)))
