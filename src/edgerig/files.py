"""Atomic writes, hashes, and JSON."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from edgerig.errors import StorageError, nearest, storing
from edgerig.text import harmless_json, one_line

#: Bytes of the digest before what is stored checked.
_DIGEST = 64
#: The environment variable that names the folder for temporary files.
TEMPORARY = "TMPDIR"
#: What the name of a folder begins with that a process holds, and the file in it that is locked.
HELD_PREFIX = "edgerig-"
_HELD = "held"
#: A folder younger than this may not have got its lock yet.
_YOUNG_SECONDS = 60.0


def sha256(data: bytes | memoryview) -> str:
    """Hex SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in chunks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def without_mark(data: bytes) -> bytes:
    """A UTF-8 text without the byte order mark that programs on Windows put before it, and JSON knows nothing of."""
    return data.removeprefix(codecs.BOM_UTF8)


def canonical_json(value: Any) -> bytes:
    """JSON bytes that are equal for equal values alone: sorted keys and sets, no spaces. All keys and hashes are made
    from it.

    Infinity and NaN, which JSON lacks, are spelled out: as its null they would equal one another, and None.
    """
    plain = msgspec.to_builtins(value, order="deterministic")
    if _not_finite(plain, "") is not None:
        plain = _spelled(plain)
    return msgspec.json.encode(plain, order="sorted")


def digest(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of ``value``."""
    return sha256(canonical_json(value))


@contextlib.contextmanager
def atomic_path(path: Path, mode: int | None = None) -> Iterator[Path]:
    """A temporary path beside ``path`` that becomes ``path`` when the block ends without an exception.

    Args:
        path: The final path.
        mode: Its permissions; by default those of the user's umask. Until it is complete only its owner may read it.

    Raises:
        StorageError: The folder cannot be written or the disk is full; nothing half-written is left.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp" + path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~umask() if mode is None else mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes | memoryview, mode: int | None = None) -> None:
    """Write ``data`` to ``path`` atomically and durably, with permissions ``mode`` as in `atomic_path`."""
    with atomic_path(path, mode) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path`` atomically and durably."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any, mode: int | None = None) -> None:
    """Write ``value`` as indented JSON to ``path`` atomically and durably, with permissions as in `atomic_path`.

    Characters that a terminal would obey are escaped as JSON, for users who look at the file with `cat`.

    Raises:
        StorageError: ``value`` contains an infinite number or NaN, which JSON lacks: they would be read back as null.
    """
    check_finite(value, path.name)
    document = harmless_json(msgspec.json.format(msgspec.json.encode(value), indent=1).decode())
    write_bytes(path, document.encode() + b"\n", mode)


def check_finite(value: Any, what: str) -> None:
    """Check that ``value`` holds no infinite number and no NaN, which JSON lacks.

    Raises:
        StorageError: It does; says that ``what`` was not written, and where the number stands.
    """
    bad = _not_finite(value, "")
    if bad is not None:
        raise StorageError(f"{what} was not written: {bad}, which is no finite number.")


def _spelled(value: Any) -> Any:
    """Plain values with each number that JSON lacks as an object of its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"not finite": str(value)}
    if isinstance(value, dict):
        return {key: _spelled(item) for key, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, list | tuple) else value


def _not_finite(value: Any, where: str) -> str | None:
    """The position of an infinite number or a NaN in ``value``, in words; None if there is none."""
    if isinstance(value, float):
        return None if math.isfinite(value) else f"{where.lstrip('.')} is {value}"
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, msgspec.Struct):
        items = ((name, getattr(value, name)) for name in value.__struct_fields__)
    elif isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    for key, item in items:
        if isinstance(item, float | msgspec.Struct | dict | list | tuple):
            bad = _not_finite(item, f"{where}.{key}")
            if bad is not None:
                return bad
    return None


def hint_for_missing(path: Path, otherwise: str) -> str:
    """The hint of an error about ``path``: if it does not exist, the nearest name beside it; then ``otherwise``."""
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a folder is closed
        return otherwise
    try:
        near = nearest(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return otherwise
    return f"Did you mean {one_line(path.parent / near)}? {otherwise}".rstrip() if near else otherwise


def check_writable(folder: Path) -> None:
    """Check, without leaving files, whether ``folder``, which need not exist, can be written to.

    Raises:
        StorageError: It cannot.
    """
    there = folder.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    with storing(folder), tempfile.TemporaryFile(dir=there):
        pass


def sync_folder(folder: Path) -> None:
    """The folder's own entries to the disk, where the system lets a folder be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def umask() -> int:
    """The permissions that files of this process do not get."""
    # The mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def store_checked(path: Path, content: bytes) -> None:
    """Keep ``content`` behind its digest, for `checked` and `take_checked`.

    Raises:
        StorageError: It cannot be written.
    """
    write_bytes(path, sha256(content).encode() + content)


def checked(path: Path) -> bytes | None:
    """What `store_checked` keeps at ``path``; None where there is nothing or it is damaged."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    content = stored[_DIGEST:]
    return content if sha256(content).encode() == stored[:_DIGEST] else None


def take_checked(path: Path, output: Path) -> bool:
    """Write what `store_checked` keeps at ``path`` to ``output``; whether there is something and it is whole."""
    content = checked(path)
    if content is None:
        return False
    output.write_bytes(content)
    return True


def recall(*parts: str) -> bytes | None:
    """What `remember` kept at the path ``parts`` in the cache folder; None where there is nothing or it is damaged."""
    # A user may have no home.
    with contextlib.suppress(RuntimeError):
        return checked(cache_folder().joinpath(*parts))
    return None


def remember(content: bytes, *parts: str) -> None:
    """Keep ``content`` in the cache folder for `recall`, where there is room for it: a device may have none."""
    with contextlib.suppress(StorageError, OSError, RuntimeError):
        store_checked(cache_folder().joinpath(*parts), content)


def cache_folder() -> Path:
    """The folder of downloads and built stages: ``$EDGERIG_CACHE``, or ``edgerig`` in the user's cache folder."""
    own = os.environ.get("EDGERIG_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "edgerig"


def state_folder() -> Path:
    """The folder of what must outlive a run and lies nowhere else: ``$EDGERIG_STATE``, or ``edgerig`` in the user's
    state folder (XDG Base Directory Specification)."""
    own = os.environ.get("EDGERIG_STATE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").expanduser() / "edgerig"


def held_folder(parent: Path | None = None) -> tuple[Path, int]:
    """A new folder in ``parent``, or in that for temporary files, and the descriptor of a lock that marks it as in use.

    In the latter those are removed whose process was killed before it could remove them.

    Raises:
        StorageError: There is no room, or no permission.
    """
    with storing(parent or tempfile.gettempdir()):
        if parent is None:
            _sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=HELD_PREFIX, dir=parent))
        held = os.open(folder / _HELD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    locked(held)
    return folder, held


@cache
def _sweep(temporary: Path) -> None:
    """Remove the folders there that nobody holds any more."""
    for left in temporary.glob(HELD_PREFIX + "*"):
        try:
            if left.lstat().st_uid != os.getuid() or time.time() - left.lstat().st_mtime < _YOUNG_SECONDS:
                continue
            descriptor = os.open(left / _HELD, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            if locked(descriptor):
                shutil.rmtree(left, ignore_errors=True)
        finally:
            os.close(descriptor)


def locked(descriptor: int) -> bool:
    """Whether a file could be locked for this process; it is until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
