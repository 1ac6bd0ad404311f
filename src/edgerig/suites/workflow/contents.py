"""What lies in files and folders, as values that are equal for equal contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edgerig import files
from edgerig.errors import StorageError

#: A description of an artifact is smaller; larger JSON is not looked into.
LARGEST_DESCRIPTION = 1 << 20
#: The keys by which a description of an artifact is known among JSON files.
DESCRIPTION = {"sha256", "format", "origins", "inputs", "outputs"}


class FileEntry(msgspec.Struct, frozen=True):
    """A file: SHA-256 and size of its bytes, and its identity.

    ``identity`` is the SHA-256, too, but for the description of an artifact (``net.tflite.json``): that of what it says
    without the seconds that it took to make, so that a network that was made again is the same network.
    """

    sha256: str
    size: int
    identity: str


Entries = Mapping[str, FileEntry]


def entries_of(path: Path) -> dict[str, FileEntry]:
    """The files of a path by their names: of a file itself and its description, of a folder all below it.

    Raises:
        StorageError: Something there cannot be read, or is neither a file nor a folder.
    """
    try:
        if path.is_dir():
            inside = sorted(item for item in path.rglob("*") if not item.is_dir())
            return {item.relative_to(path).as_posix(): _entry(item) for item in inside}
        return {item.name: _entry(item) for item in with_description(path)}
    except OSError as error:
        raise StorageError(f"Cannot read {error.filename or path}: {error.strerror or error}.") from error


def with_description(path: Path) -> list[Path]:
    """A file, and its description if that lies beside it."""
    beside = path.with_name(path.name + ".json")
    return [path, beside] if beside.is_file() else [path]


def identity_of(entries: Entries) -> str:
    """One digest of files with their names."""
    return files.digest([[name, entry.identity] for name, entry in sorted(entries.items())])


def within(entries: Entries, path: str) -> dict[str, FileEntry]:
    """The files of ``path`` within a folder with these files: a file with its description, or a folder's files."""
    name = path.rsplit("/", 1)[-1]
    if path in entries:
        description = f"{path}.json"
        beside = {f"{name}.json": entries[description]} if description in entries else {}
        return {name: entries[path], **beside}
    return {key.removeprefix(f"{path}/"): entry for key, entry in entries.items() if key.startswith(f"{path}/")}


def total_size(entries: Iterable[FileEntry]) -> int:
    """Bytes of files."""
    return sum(entry.size for entry in entries)


def _entry(path: Path) -> FileEntry:
    if not path.is_file():
        raise StorageError(f"{path} is not a file that could be read.", "Links that lead nowhere and devices are none.")
    digest, size = files.sha256_file(path), path.stat().st_size
    described = _described(path) if path.suffix == ".json" and size <= LARGEST_DESCRIPTION else None
    return FileEntry(digest, size, digest if described is None else files.digest(described))


def _described(path: Path) -> Any:
    """What a description of an artifact says, without the time that making it took; None of other files."""
    try:
        document = msgspec.json.decode(path.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(document, dict) or not document.keys() >= DESCRIPTION:
        return None
    origins = document["origins"]
    if not isinstance(origins, list) or not all(isinstance(origin, dict) for origin in origins):
        return None
    timeless = [{key: value for key, value in origin.items() if key != "seconds"} for origin in origins]
    return {**document, "origins": timeless}
