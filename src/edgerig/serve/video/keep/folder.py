"""A folder of stored frames: pictures, and a line of JSON for each in ``frames.jsonl``."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from edgerig import files
from edgerig.errors import StorageError, UsageError, storing
from edgerig.text import harmless_json, one_line

#: The file with a line for each frame.
INDEX = "frames.jsonl"


class KeptFrame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the index.

    Attributes:
        file: The picture's name; its SHA-256 is ``sha256``, its size ``width`` by ``height``.
        mask: Name of the class map's picture, where the answer is one; a pixel's value is its class.
        time: When it was captured, ISO 8601 in UTC.
        source: Of the video, without a password; ``frame`` counts its frames.
        rules: Those that wanted it.
        model, artifact: The network's name, and the SHA-256 of its file.
        task, confidence: As they were shown.
        prediction: What the network said; for a class its name and the scores, for boxes a list, for a mask the share
            of each class.
    """

    file: str
    sha256: str
    width: int
    height: int
    time: str
    source: str
    frame: int
    rules: list[str]
    model: str
    artifact: str
    task: str
    confidence: float | None
    prediction: dict[str, object]
    mask: str | None = None


class FrameFolder:
    """The folder.

    Args:
        address: Its path.
        most: Bytes that all of its files may take.

    Attributes:
        size: Bytes that they take now. count: Frames in its index.

    Raises:
        UsageError: The address is none of a folder. StorageError: It cannot be written to.
    """

    def __init__(self, address: str, most: int) -> None:
        scheme = urlsplit(address).scheme if "://" in address else ""
        if scheme not in ("", "file"):
            raise UsageError(
                f"--keep {one_line(address)}: frames are stored in folders, not yet at {scheme}://.",
                "Give a folder, and copy it there.",
            )
        self.path, self.most = Path(address.removeprefix("file://")), most
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"--keep {self.path} is a file.", "Give a folder.")
        files.check_writable(self.path)
        with storing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._mend()
            self.size = sum(entry.stat().st_size for entry in self.path.iterdir() if entry.is_file())
            self.count = self._lines()

    def fits(self, count: int) -> bool:
        """Whether ``count`` more bytes are within the bound."""
        return self.size + count <= self.most

    def add(self, frame: KeptFrame, pictures: dict[str, bytes]) -> bool:
        """Store a frame: its pictures first, then its line, so that no line is without them.

        Args:
            frame: Its line. pictures: Bytes by file name.

        Returns:
            Whether there was room.

        Raises:
            StorageError: It could not be written; nothing of it is left.
        """
        line = harmless_json(msgspec.json.encode(frame).decode()).encode() + b"\n"
        if not self.fits(len(line) + sum(map(len, pictures.values()))):
            return False
        written: list[Path] = []
        try:
            for name, data in pictures.items():
                files.write_bytes(self.path / name, data)
                written.append(self.path / name)
            self._append(line)
        except StorageError:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        self.size += len(line) + sum(map(len, pictures.values()))
        self.count += 1
        return True

    def _append(self, line: bytes) -> None:
        with storing(self.path / INDEX):
            handle = os.open(self.path / INDEX, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                before = os.fstat(handle).st_size
                try:
                    # Whole or not at all: a reader never sees a part of a line followed by another.
                    if os.write(handle, line) != len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(handle)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(handle, before)
                    raise
            finally:
                os.close(handle)

    def _mend(self) -> None:
        """Take away the part of a line that a power failure left at the end of the index."""
        index = self.path / INDEX
        if not index.is_file():
            return
        with index.open("r+b") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                file.truncate(whole)

    def _lines(self) -> int:
        index = self.path / INDEX
        return index.read_bytes().count(b"\n") if index.is_file() else 0
