"""Packs several files into one byte string, for networks of more than one file: this is what is hashed and sent.

The layout: `MAGIC`; the length of the index, 4 bytes, little-endian; the index, JSON ``[[name, size], ...]``; the
contents in that order. Equal files give equal bytes, whatever their dates, owners and permissions. Names are relative,
with ``/`` between folders. An index from outside is checked before anything is written.
"""

from __future__ import annotations

import os
import secrets
import shutil
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from edgerig.errors import ModelError, UsageError, storing

MAGIC = b"edgerig files 1\n"
#: Largest index in bytes, and largest number of files in it.
LARGEST_INDEX = 1 << 20
MOST_FILES = 10_000
#: Largest overhead of a payload beside its contents, in bytes.
OVERHEAD = len(MAGIC) + 4 + LARGEST_INDEX
#: Longest part of a name in bytes, as in common file systems.
LONGEST_PART = 255
#: Bytes that are copied in one step.
_BLOCK = 1 << 20
_LENGTH = struct.Struct("<I")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A file in a payload: its relative name and its size in bytes."""

    name: str
    size: int


def pack(members: Iterable[tuple[str, Path]]) -> bytes:
    """The payload of files, by relative name, in the order given.

    Raises:
        ModelError: A name is not valid in a payload, or there are too many. OSError: A file cannot be read.

    >>> import io, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = Path(folder, "bias.bin").write_bytes(bytes(8))
    ...     data = pack([("layer/bias.bin", Path(folder, "bias.bin"))])
    >>> read_index(io.BytesIO(data)), content_size(data), data == MAGIC + data[16:]
    ([Entry(name='layer/bias.bin', size=8)], 8, True)
    """
    names, contents = [], []
    for name, path in members:
        names.append(name)
        contents.append(path.read_bytes())
    entries = [Entry(name, len(content)) for name, content in zip(names, contents, strict=True)]
    index = msgspec.json.encode(entries)
    _check(entries, len(index))
    return b"".join([MAGIC, _LENGTH.pack(len(index)), index, *contents])


def read_index(stream: BinaryIO) -> list[Entry]:
    """The files of the payload that begins at the position of ``stream``; leaves it at the first content.

    Raises:
        ModelError: It is no payload, or its index is not valid.
    """
    head = stream.read(len(MAGIC) + _LENGTH.size)
    if len(head) < len(MAGIC) + _LENGTH.size or not head.startswith(MAGIC):
        raise _unsound("it does not begin as files packed into one do")
    (length,) = _LENGTH.unpack(head[len(MAGIC) :])
    if length > LARGEST_INDEX:
        raise _unsound(f"its index has {length:,} B, where {LARGEST_INDEX:,} B are the most")
    try:
        entries = msgspec.json.decode(stream.read(length), type=list[Entry])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unsound(f"its index cannot be read: {error}") from error
    _check(entries, length)
    return entries


def unpack(stream: BinaryIO, folder: Path) -> list[Entry]:
    """Write the files of a payload to ``folder`` atomically; returns their entries.

    An existing folder is replaced if it contains no other files than these, and their description.

    Raises:
        ModelError: The payload is not valid, or truncated.
        UsageError: ``folder`` contains something else. StorageError: It cannot be written.
    """
    with storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.tmp"
        aside = work.with_suffix(".old")
        work.mkdir()
        try:
            entries = _write(stream, work)
            if folder.exists():
                _check_replaceable(folder, {entry.name for entry in entries})
                folder.rename(aside)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            shutil.rmtree(aside, ignore_errors=True)
    return entries


def _write(stream: BinaryIO, folder: Path) -> list[Entry]:
    entries = read_index(stream)
    for entry in entries:
        path = folder / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            _copy(stream, file, entry)
            file.flush()
            os.fsync(file.fileno())
    if stream.read(1):
        raise _unsound("bytes follow behind its last file")
    return entries


def _check_replaceable(folder: Path, names: set[str]) -> None:
    """Refuse to delete anything that was not written by storing the same network before."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file, where a folder for the network should be.", "Choose another --out.")
    known = names | {f"{name}.json" for name in names}
    for item in folder.rglob("*"):
        if not item.is_dir() and item.relative_to(folder).as_posix() not in known:
            raise UsageError(
                f"{folder} holds {item.relative_to(folder)}, which is no file of this network.",
                "Move it elsewhere, or choose another --out.",
            )


def content_size(data: bytes) -> int:
    """Bytes of all files of a payload, without its index."""
    (length,) = _LENGTH.unpack_from(data, len(MAGIC))
    return len(data) - len(MAGIC) - _LENGTH.size - int(length)


def _copy(stream: BinaryIO, file: BinaryIO, entry: Entry) -> None:
    remaining = entry.size
    while remaining:
        block = stream.read(min(remaining, _BLOCK))
        if not block:
            raise _unsound(f"it ends within {entry.name!r}")
        file.write(block)
        remaining -= len(block)


def _check(entries: list[Entry], length: int) -> None:
    if not entries:
        raise _unsound("it has no file")
    if len(entries) > MOST_FILES or length > LARGEST_INDEX:
        raise _unsound(f"it has {len(entries):,} files, whose names are more than {MOST_FILES:,} or too long")
    names = {entry.name for entry in entries}
    if len(names) != len(entries):
        raise _unsound("a name stands in it twice")
    for entry in entries:
        parts = entry.name.split("/")
        if entry.size < 0 or not all(map(_is_plain, parts)):
            raise _unsound(f"{entry.name[:80]!r} is no relative name of a file")
        if any("/".join(parts[:end]) in names for end in range(1, len(parts))):
            raise _unsound(f"{entry.name[:80]!r} lies within what is a file itself")


def _is_plain(part: str) -> bool:
    """Whether a part of a name is a valid file or folder name on any system, and is no ``..`` or the like."""
    return (
        part not in ("", ".", "..")
        and part.isprintable()
        and "\\" not in part
        and ":" not in part
        and len(part.encode(errors="replace")) <= LONGEST_PART
    )


def _unsound(why: str) -> ModelError:
    return ModelError(f"The files of the network cannot be packed or unpacked: {why}.", "Make the network again.")
