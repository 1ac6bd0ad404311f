"""A store of datasets: in object storage, in a folder, or in memory."""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from edgerig.errors import StoreError
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
    """

    def __init__(self, address: str, backend: ObjectStore, *, shown_names: str = "") -> None:
        super().__init__(address, backend)
        self.shown_names = shown_names

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
