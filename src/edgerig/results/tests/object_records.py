"""Records in a store: object storage, or memory.

An object appears whole or not at all, and a record's name holds the hash of its content. So even a store that cannot
create an object only where there is none loses nothing here: whoever writes a name a second time writes the same bytes.
"""

from __future__ import annotations

from edgerig.errors import StoreError
from edgerig.store import Missing, Store


class ObjectRecords:
    """The files of a folder of a store by name, each created once.

    Args:
        store: The store, whose root is the folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def address(self) -> str:
        """Of the store, without secrets."""
        return self._store.address.rstrip("/")

    def names(self) -> list[str]:
        """Names of the files, sorted; raises StoreError."""
        return sorted(self._store.files(""))

    def read(self, name: str, limit: int) -> bytes:
        """The first ``limit + 1`` bytes of a file; raises StoreError."""
        try:
            size = self._store.size(name)
            return self._store.beginning(name, limit + 1) if size and size > limit else self._store.get(name)
        except Missing:
            raise StoreError(f"{self.address}/{name} is gone: something has removed it since it was listed.") from None

    def create(self, name: str, data: bytes) -> bool:
        """Create a file and tell whether it is new; one that is there stays as it is. Raises StoreError."""
        if self._store.creates_only:
            return self._store.create(name, data)
        if self._store.size(name) is not None:
            return False
        self._store.put(name, data)
        return True
