"""A store of datasets: in object storage, in a folder, or in memory."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgerig.errors import StoreError
from edgerig.store.durability import sync_files
from edgerig.store.keyed_bytes import KeyedBytes
from edgerig.store.objects import Objects

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_logger = logging.getLogger(__name__)


class Store(KeyedBytes):
    """Bytes under keys, of which those below ``objects/`` are contents under their hash; made by
    `edgerig.store.open_store`.

    Attributes:
        shown_names: Of the datasets in it only those whose names hold this text are used; empty for all.
        folder: Where it lies, if it is a folder.
    """

    def __init__(
        self, address: str, backend: ObjectStore, *, shown_names: str = "", folder: Path | None = None
    ) -> None:
        super().__init__(address, backend)
        self.shown_names, self.folder = shown_names, folder

    def create(self, key: str, data: bytes) -> bool:
        created = super().create(key, data)
        if created:
            self.sync([key])
        return created

    def sync(self, keys: Iterable[str]) -> None:
        """Bring to the disk what was stored under keys, so that a power cut takes none of it; returns when it is there.

        Object storage has what it has acknowledged. In a folder that takes time, and is done for many at once: before
        the file that names them is created.
        """
        if self.folder is not None:
            sync_files(self.folder, keys)

    @cached_property
    def objects(self) -> Objects:
        """The contents in it, each under its SHA-256."""
        return Objects(self)

    @cached_property
    def creates_only(self) -> bool:
        """Whether `create` is atomic here: found out once, with two puts of one name that may only create it.

        Without it two writers could overwrite each other's versions, and `Versions.commit` allows one alone.
        """
        key = f"probe/{secrets.token_hex(8)}"
        outcome: Literal["refuses", "ignores", "lacks"]
        try:
            outcome = "ignores" if not self.create(key, b"first") or self.create(key, b"second") else "refuses"
        except StoreError:
            # Whoever may not write at all gets that error here; the rest cannot create only.
            self.put(key, b"third")
            outcome = "lacks"
        if outcome == "ignores" and self.size(key) is None:
            raise StoreError(f"{self.address} lost what was just written to it.", "Look at the server's log.")
        # Keys that may write need not be allowed to delete.
        with suppress(StoreError):
            self.delete(key)
        if outcome != "refuses":
            _logger.warning(
                "%s cannot create a file only where there is none (If-None-Match): let one program at a time write",
                self.address,
            )
        return outcome == "refuses"
