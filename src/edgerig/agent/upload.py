"""Uploads of networks: parts are written to disk as they arrive, and none is kept in memory."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path
from typing import BinaryIO

import msgspec

from edgerig import formats
from edgerig.errors import ModelError, storing
from edgerig.wire.messages import ModelHeader

_UNFINISHED = "network.part"
_CHOICE = "the agent's --folder"


class Upload:
    """Puts networks into ``folder``, one at a time, each under its hash.

    Args:
        folder: The session's own.
        limit: Bytes of the largest network.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit
        self._path: Path | None = None
        self._header: ModelHeader | None = None
        self._file: BinaryIO | None = None
        self._hash, self._arrived = hashlib.sha256(), 0

    def add(self, header: ModelHeader, data: memoryview) -> Path | None:
        """Take the payload of a MODEL; the network's path with the last of its parts, None before.

        A part that is refused changes nothing; when a network cannot be stored or is the wrong one, nothing of it is
        kept.

        Raises:
            ModelError: It does not go on where the part before ended, or belongs to another file, or the file is not
                the one that was announced, or too large.
            UnknownNameError: Nothing is known here of its format.
            StorageError: It cannot be stored.
        """
        self._check(header, len(data))
        try:
            with storing(f"the network on the device, in {self.folder}", _CHOICE):
                if self._file is None:
                    self._begin()
                assert self._file is not None
                self._file.write(data)
            self._hash.update(data)
            self._arrived += len(data)
            return self._finish(header) if self._arrived == (header.total or len(data)) else None
        except BaseException:
            self.drop()
            raise

    def holds(self, path: Path) -> None:
        """Take ``path`` for the network that is here, which makes room for the next."""
        self._path = path

    def drop(self) -> None:
        """Discard an incomplete upload."""
        file, self._file, self._header = self._file, None, None
        self._hash, self._arrived = hashlib.sha256(), 0
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
            (self.folder / _UNFINISHED).unlink(missing_ok=True)

    def _check(self, header: ModelHeader, length: int) -> None:
        total = header.total or length
        if total > self.limit:
            raise ModelError(
                f"A network of {total} B was announced; the limit is {self.limit} B.",
                "Raise --max-model of the agent, or choose a smaller network.",
            )
        if header.offset == 0:
            self.drop()
        whole = msgspec.structs.replace(header, offset=0)
        if self._header is not None and self._header != whole:
            raise ModelError(
                f"A part came that belongs to another file: of {total} B, SHA-256 {header.sha256[:12]!r}, where "
                f"{self._header.total} B, SHA-256 {self._header.sha256[:12]!r}, were announced first.",
                "Send all parts of a network with the same header but for their offset.",
            )
        empty = bool(header.total) and not length
        if header.offset != self._arrived or header.offset + length > total or empty:
            raise ModelError(
                f"{length} B of a network of {total} B came for offset {header.offset}; {self._arrived} B are here.",
                "Send its parts in order, from its first byte on.",
            )
        self._header = whole

    def _begin(self) -> None:
        if self._path is not None:
            # A session has room for one network; an engine that has mapped its file keeps it until it is closed.
            self._remove(self._path)
            self._path = None
        self._file = (self.folder / _UNFINISHED).open("wb")

    def _remove(self, path: Path) -> None:
        """Take away a network: its file, or the folder with its files."""
        whole = self.folder / path.relative_to(self.folder).parts[0]
        if whole.is_dir():
            shutil.rmtree(whole)
        else:
            whole.unlink(missing_ok=True)

    def _finish(self, header: ModelHeader) -> Path:
        """Check the hash, and store the file under it: no name from outside becomes a path."""
        digest = self._hash.hexdigest()
        if digest != header.sha256:
            raise ModelError(
                f"The file that arrived is not the one that was announced: SHA-256 {digest[:12]} instead of "
                f"{header.sha256[:12]!r}.",
                "Try again; the file changed on its way, or while it was read.",
            )
        assert self._file is not None
        format = formats.named(header.format)
        with storing(f"the network on the device, in {self.folder}", _CHOICE):
            self._file.close()
            path = format.receive(self.folder / _UNFINISHED, self.folder / (digest + format.suffixes[0]))
        self._file, self._header, self._path = None, None, path
        self._hash, self._arrived = hashlib.sha256(), 0
        return path
