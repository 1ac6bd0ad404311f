"""Bytes under keys, in object storage, in a folder, or in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from edgerig.store.faults import Missing, translated

if TYPE_CHECKING:
    from obstore.store import ObjectStore

#: Keys in an answer to a list.
PAGE = 1000


class KeyedBytes:
    """Bytes under keys such as ``street/v000001.json``.

    Attributes:
        address: Where they are, without secrets.

    All methods raise `StoreError` where the store is not there or refuses, and may be called from several threads.
    """

    def __init__(self, address: str, backend: ObjectStore) -> None:
        self.address, self._backend = address, backend

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"

    def get(self, key: str) -> bytes:
        """All bytes under a key.

        Raises:
            Missing: There are none.
        """
        with translated(f"Reading {self._named(key)}"):
            return bytes(self._backend.get(key).bytes())

    def beginning(self, key: str, length: int) -> bytes:
        """The first bytes under a key, at most ``length``.

        Raises:
            Missing: There are none.
        """
        with translated(f"Reading {self._named(key)}"):
            return bytes(self._backend.get_range(key, start=0, length=length))

    def stream(self, key: str, chunk: int = 1 << 20) -> Iterator[bytes]:
        """The bytes under a key in pieces of about ``chunk`` bytes.

        Raises:
            Missing: There are none.
        """
        with translated(f"Reading {self._named(key)}"):
            yield from (bytes(piece) for piece in self._backend.get(key).stream(min_chunk_size=chunk))

    def put(self, key: str, data: bytes) -> None:
        """Store bytes under a key, whatever was there."""
        with translated(f"Writing {self._named(key)}"):
            self._backend.put(key, data, use_multipart=False)

    def put_pieces(self, key: str, pieces: Iterator[bytes]) -> None:
        """Store many bytes under a key, piece by piece; nothing where ``pieces`` raises."""
        with translated(f"Writing {self._named(key)}"):
            self._backend.put(key, pieces, use_multipart=True, chunk_size=8 << 20, max_concurrency=4)

    def create(self, key: str, data: bytes) -> bool:
        """Store bytes under a key where there is nothing yet; False where something is, which stays.

        Atomic only in a store that `creates_only`.
        """
        from obstore.exceptions import AlreadyExistsError

        with translated(f"Writing {self._named(key)}"):
            try:
                self._backend.put(key, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def sync(self, keys: Iterable[str]) -> None:
        """See `edgerig.store.store.Store.sync`."""

    def size(self, key: str) -> int | None:
        """How many bytes are under a key; None where there is nothing."""
        try:
            with translated(f"Looking at {self._named(key)}"):
                return int(self._backend.head(key)["size"])
        except Missing:
            return None

    def delete(self, key: str) -> None:
        """Remove what is under a key, if anything is."""
        with suppress(Missing), translated(f"Deleting {self._named(key)}"):
            self._backend.delete(key)

    def pages(self, prefix: str = "") -> Iterator[dict[str, int]]:
        """The keys in a folder and their bytes, page by page."""
        with suppress(Missing), translated(f"Listing {self._named(prefix)}"):
            for page in self._backend.list(prefix or None, chunk_size=PAGE):
                yield {meta["path"]: meta["size"] for meta in page}

    def files(self, prefix: str) -> dict[str, int]:
        """The names of the files in a folder, not in those below it, and their bytes."""
        try:
            with translated(f"Listing {self._named(prefix)}"):
                listed = self._backend.list_with_delimiter(prefix)["objects"]
        except Missing:
            return {}
        return {meta["path"].rpartition("/")[2]: meta["size"] for meta in listed}

    def folders(self, prefix: str = "") -> list[str]:
        """The names of the folders in a folder, sorted."""
        try:
            with translated(f"Listing {self._named(prefix)}"):
                folders = self._backend.list_with_delimiter(prefix or None)["common_prefixes"]
        except Missing:
            return []
        return sorted(folder.rstrip("/").rpartition("/")[2] for folder in folders)

    def _named(self, key: str) -> str:
        separator = "" if self.address.endswith("/") else "/"
        return f"{self.address}{separator}{key}" if key else self.address
