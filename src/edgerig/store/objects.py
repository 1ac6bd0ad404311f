"""Contents under their SHA-256: ``objects/ab/abcd..``, each checked whenever it is read."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import msgspec

from edgerig import files
from edgerig.errors import DamagedObjectError, StoreError, storing
from edgerig.progress import Progress
from edgerig.store.faults import Missing
from edgerig.store.keyed_bytes import KeyedBytes
from edgerig.store.parallel import in_parallel

FOLDER = "objects"
#: Bytes from which on a file is sent and fetched in pieces, so that memory stays bounded.
LARGE = 8 << 20
_MEND = "Send its dataset there again from where it is whole: edgerig data push --repair, or data import --repair."


class Stored(msgspec.Struct, frozen=True):
    """What was stored: the SHA-256 of its bytes and their number."""

    sha256: str
    size: int


def key_of(sha256: str) -> str:
    """The key of an object.

    >>> key_of("abcd" + 60 * "0")[:16]
    'objects/ab/abcd0'
    """
    return f"{FOLDER}/{sha256[:2]}/{sha256}"


class Objects:
    """The contents of a store, `edgerig.store.store.Store.objects`.

    What is there whole is never sent again; what is there with another number of bytes is replaced.
    """

    def __init__(self, store: KeyedBytes) -> None:
        self._store = store

    def add(self, data: bytes) -> Stored:
        """Store bytes, if they are not there yet."""
        stored = Stored(files.sha256(data), len(data))
        if not self.has(stored.sha256, stored.size):
            self.replace(stored, data)
        return stored

    def replace(self, stored: Stored, data: bytes) -> None:
        """Store the bytes of that hash, whether they are there or not."""
        self._store.put(key_of(stored.sha256), data)

    def send(self, path: Path, expected: Stored) -> None:
        """Store the bytes of a file, whether they are there or not.

        Raises:
            StoreError: The file is not what was expected any more: it was changed meanwhile.
        """
        try:
            if expected.size >= LARGE:
                with path.open("rb") as file:
                    pieces = iter(lambda: file.read(LARGE), b"")
                    self._store.put_pieces(key_of(expected.sha256), _checked(pieces, expected.sha256, _changed(path)))
                return
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"Cannot read {path}: {error.strerror}.") from None
        if files.sha256(data) != expected.sha256:
            raise _changed(path)
        self._store.put(key_of(expected.sha256), data)

    def copy_from(self, other: Objects, stored: Stored) -> None:
        """Store what another store has, checked on the way, whether it is here or not.

        Raises:
            DamagedObjectError: It is missing there, truncated or changed; names it.
        """
        key = key_of(stored.sha256)
        if stored.size < LARGE:
            self._store.put(key, other.get(stored.sha256))
            return
        damaged = other._damaged(stored.sha256, stored.size)
        try:
            self._store.put_pieces(key, _checked(other._store.stream(key, LARGE), stored.sha256, damaged))
        except Missing:
            raise other._missing(stored.sha256) from None

    def sync(self, hashes: Iterable[str]) -> None:
        """Let objects outlast a power cut, as `Store.sync` does; before a version names them."""
        self._store.sync(key_of(sha256) for sha256 in hashes)

    def has(self, sha256: str, size: int) -> bool:
        """Whether an object of that hash is there, and has that many bytes; its content is not read."""
        return self._store.size(key_of(sha256)) == size

    def get(self, sha256: str) -> bytes:
        """The bytes of an object, checked.

        Raises:
            DamagedObjectError: It is missing, truncated or changed; names it.
        """
        try:
            data = self._store.get(key_of(sha256))
        except Missing:
            raise self._missing(sha256) from None
        if files.sha256(data) != sha256:
            raise self._damaged(sha256, len(data))
        return data

    def fetch(self, sha256: str, path: Path, size: int) -> None:
        """Write an object to a file, checked before the file is there; its folder must be there.

        Args:
            size: Its bytes: small objects take less time.

        Raises:
            DamagedObjectError: As for `get`; the file is not written.
        """
        if size >= LARGE:
            with files.atomic_path(path) as temporary, storing(path), temporary.open("wb") as file:
                self._check(sha256, file.write)
            return
        data = self.get(sha256)
        # Not flushed to the disk one by one, as `files.write_bytes` does: whoever fetches again compares hashes.
        temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")
        with storing(path):
            try:
                temporary.write_bytes(data)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)

    def check(self, sha256: str) -> int:
        """Read an object and compare it with its hash; returns its bytes.

        Raises:
            DamagedObjectError: As for `get`.
        """
        return self._check(sha256, len)

    def _check(self, sha256: str, sink: Callable[[bytes], object]) -> int:
        digest, count = hashlib.sha256(), 0
        try:
            for piece in self._store.stream(key_of(sha256)):
                digest.update(piece)
                count += len(piece)
                sink(piece)
        except Missing:
            raise self._missing(sha256) from None
        if digest.hexdigest() != sha256:
            raise self._damaged(sha256, count)
        return count

    def present(self, needed: Iterable[Stored]) -> set[str]:
        """Which of these are there with all of their bytes, by their hashes; contents are not read: see `whole`."""
        expected = {each.sha256: each.size for each in needed}
        return {sha256 for sha256, size in self.sizes(expected).items() if size == expected[sha256]}

    def whole(self, hashes: Collection[str], progress: Progress) -> set[str]:
        """Which of these objects are what their hashes say: all of them are read."""
        whole = set[str]()

        def examine(sha256: str) -> str | None:
            try:
                self.check(sha256)
            except DamagedObjectError:
                return None
            return sha256

        with progress.task(f"Reading what is in {self._store.address}", len(hashes)) as task:
            for sha256 in in_parallel(examine, sorted(hashes)):
                whole.update([sha256] if sha256 is not None else [])
                task.advance()
        return whole

    def sizes(self, hashes: Collection[str]) -> dict[str, int]:
        """The bytes of those objects that are there: listed where that takes less than asking for each."""
        wanted, listed = set(hashes), dict[str, int]()
        # A page of a list takes about as long as ten questions.
        budget, complete = len(wanted) // 10, False
        if budget:
            for number, page in enumerate(self._store.pages(FOLDER)):
                if number == budget:
                    break
                names = ((key.rpartition("/")[2], size) for key, size in page.items())
                listed.update((name, size) for name, size in names if name in wanted)
            else:
                complete = True
        if not complete:
            rest = wanted - listed.keys()
            answers = in_parallel(lambda sha256: (sha256, self._store.size(key_of(sha256))), sorted(rest))
            listed.update((sha256, size) for sha256, size in answers if size is not None)
        return listed

    def _missing(self, sha256: str) -> DamagedObjectError:
        return DamagedObjectError(f"{self._store.address} lacks the object {sha256}.", _MEND)

    def _damaged(self, sha256: str, count: int) -> DamagedObjectError:
        what = f"The object {sha256} in {self._store.address} is not what its name says ({count:,} bytes)"
        return DamagedObjectError(f"{what}: it is truncated or was changed.", _MEND)


def _checked(pieces: Iterable[bytes], sha256: str, error: StoreError) -> Iterator[bytes]:
    """The same pieces; ``error`` instead of their end where they are not those of the hash: an upload of them is never
    completed."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != sha256:
        raise error


def _changed(path: Path) -> StoreError:
    return StoreError(f"{path} was changed while it was read.", "Do it again when it is finished.")
