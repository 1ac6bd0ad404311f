"""Reads files of a bundle, which may be from an untrusted source: the cost is bounded before anything is read."""

from __future__ import annotations

import math
import os
import re
import stat
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import NoBundleError, StorageError
from edgerig.results.types import READABLE_VERSIONS

T = TypeVar("T")

#: Largest document of one cell, or header, in bytes; a cell of 1,000 classes takes 10 MB.
MAX_DOCUMENT = 64 << 20
#: Largest ``results.json``, which has all cells, in bytes.
MAX_RESULTS = 512 << 20
#: Largest size of all arrays of one cell, unpacked, in bytes: 1,000 classes of 100,000 samples.
MAX_ARRAYS = 1 << 30
#: Largest size of the raw samples of one bundle, in bytes: 32 B each of 8 million.
MAX_SAMPLES = 256 << 20
#: Most numbers of a document (60 confusion matrices of 1,000 classes), and most texts, lists and objects, each of
#: which takes some 60 B in memory: a few bytes of JSON must not expand to many times as much.
MAX_NUMBERS = 60_000_000
MAX_OBJECTS = 20_000_000
#: Largest directory of an archive in bytes, which is read as a whole.
MAX_DIRECTORY = 64 << 10
#: The arrays of a cell, in ``samples.npz``. Other tasks than classification keep others, whose names begin with `KEPT`.
ARRAYS = ("scores", "predictions", "labels", "indices", "times_ns")
KEPT = "kept_"
#: How such a name looks, and most of them in a cell.
KEPT_NAME, MOST_KEPT = re.compile(rf"{KEPT}[a-z][a-z0-9_]{{0,40}}"), 16
#: Numbers beyond these are not plausible for anything that edgerig measures, and overflow in calculations.
LARGEST_INTEGER = 2**63 - 1
LARGEST_REAL = 1e30

_HINT = "Measure again into another folder."


class OtherVersionError(StorageError):
    """A valid document, of a layout that this edgerig does not know."""


def read_document(path: Path, kind: type[T], bundle: Path, limit: int = MAX_DOCUMENT) -> T:
    """A JSON document of the folder ``bundle`` as ``kind``.

    Raises:
        StorageError: It is missing, larger than ``limit``, of another version, damaged, or a link that leads out of
            the bundle.
    """
    data = read_within(path, bundle, limit)
    if data.count(b",") > MAX_NUMBERS or data.count(b'"') // 2 + data.count(b"[") + data.count(b"{") > MAX_OBJECTS:
        raise StorageError(f"{path} holds more values than any run of edgerig writes; it is not read.")
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version not in READABLE_VERSIONS:
            known = " and ".join(map(str, READABLE_VERSIONS))
            raise OtherVersionError(
                f"{path} was written by another version of edgerig (layout {version}, this one reads {known})."
            )
        value = msgspec.json.decode(data, type=kind)
        check_numbers(value, "")
    except RecursionError as error:
        raise StorageError(f"{path} is damaged: it is nested too deep.", _HINT) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise StorageError(f"{path} is damaged: {error}.", _HINT) from error
    return value


def read_within(path: Path, bundle: Path, limit: int) -> bytes:
    """The bytes of a regular file in the folder ``bundle``.

    Raises:
        StorageError: It is missing, no regular file, outside of the bundle, or larger than ``limit``.
    """
    try:
        if not path.resolve(strict=True).is_relative_to(bundle.resolve()):
            raise StorageError(f"{path} is a link that leads out of the bundle; it is not read.")
        with _open_plain(path).open("rb") as file:
            data = file.read(limit + 1)
    except RuntimeError as error:
        raise StorageError(f"{path} is a link that leads to itself; it is not read.", _HINT) from error
    except OSError as error:
        raise NoBundleError(
            f"{bundle} is not a bundle: {path.name} is missing.", "Give the folder that `edgerig run --out` wrote."
        ) from error
    if len(data) > limit:
        raise StorageError(f"{path} has more than {limit:,} B, which no run of edgerig writes; it is not read.")
    return data


def read_arrays(
    path: Path,
    bundle: Path,
    names: tuple[str, ...] | None = None,
    limit: int | None = None,
    known: tuple[str, ...] = ARRAYS,
) -> dict[str, NDArray[Any]]:
    """The arrays of a cell, all or those of ``names``; sizes are checked before anything is unpacked.

    Args:
        path: The file.
        bundle: The folder that contains it.
        names: The arrays to read.
        limit: Largest size of these in bytes; by default `MAX_ARRAYS`, which applies to the whole file.
        known: The arrays that the file may contain, besides those that a task keeps.

    Raises:
        StorageError: The file is missing, damaged, outside of the bundle, or contains other or larger arrays.
    """
    try:
        if not path.resolve(strict=True).is_relative_to(bundle.resolve()):
            raise StorageError(f"{path} is a link that leads out of the bundle; it is not read.")
        _check_directory(_open_plain(path))
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path, names, limit, known)
            within = [info.filename.removesuffix(".npy") for info in archive.infolist()]
            present = within if names is None else [name for name in names if name in within]
            return {name: _array(archive, name) for name in present}
    except StorageError:
        raise
    except Exception as error:  # the errors of zipfile and numpy for damaged files have no common base
        raise StorageError(f"{path} cannot be read: {error}.", "Measure the cell again.") from error


def _open_plain(path: Path) -> Path:
    """``path`` itself, unless reading it could block or never end (a pipe, a device)."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise StorageError(f"{path} is not a plain file; it is not read.")
    return path


class _Version(msgspec.Struct, frozen=True):
    version: int = READABLE_VERSIONS[-1]


def _check_directory(path: Path) -> None:
    """Refuse an archive with a directory of more than a few entries, which would be read as a whole.

    The record at the end of an archive (APPNOTE 4.3.16) holds the size of the directory at byte 12, in 4 bytes.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 42))
        tail = file.read()
    end = tail[-22:]
    # After a comment, or in the records for archives of over 4 GB, other sizes could be given.
    if end[:4] != b"PK\x05\x06" or tail[:-22].startswith(b"PK\x06\x07"):
        raise StorageError(f"{path} is no archive that edgerig wrote.", "Measure the cell again.")
    if int.from_bytes(end[12:16], "little") > MAX_DIRECTORY:
        raise StorageError(f"{path} holds more arrays than any cell has.", "Measure the cell again.")


def _check_members(
    archive: zipfile.ZipFile, path: Path, names: tuple[str, ...] | None, limit: int | None, known: tuple[str, ...]
) -> None:
    infos = archive.infolist()
    within = [info.filename.removesuffix(".npy") for info in infos]
    strange = [name for name in within if name not in known and not KEPT_NAME.fullmatch(name)]
    if strange or len(set(within)) < len(within) or len(within) > len(known) + MOST_KEPT:
        raise StorageError(f"{path} holds {strange[:1] or 'arrays twice'}, which is none of {', '.join(known)}.")
    total = sum(info.file_size for info in infos)
    if total > MAX_ARRAYS:
        raise StorageError(f"{path} would unpack to {total:,} B, more than the {MAX_ARRAYS:,} B of any cell.")
    wanted = sum(info.file_size for info in infos if names is None or info.filename.removesuffix(".npy") in names)
    if limit is not None and wanted > limit:
        raise StorageError(f"{path} would unpack to {wanted:,} B, and {limit:,} B are left of what is taken at once.")


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """One array; the shape in its header must match its bytes, since numpy allocates memory by the header."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as file:
        if np.lib.format.read_magic(file) == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            raise ValueError(f"{name} has an unknown header")
        if (
            dtype.hasobject
            or dtype.kind not in "iuf"
            or math.prod(shape) * dtype.itemsize != info.file_size - file.tell()
        ):
            raise ValueError(f"{name} is not the array that its header tells of")
    with archive.open(info) as file:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def check_numbers(value: Any, where: str = "") -> None:
    """Refuse numbers that cannot be measurements.

    Raises:
        ValueError: There is one; names where.
    """
    if isinstance(value, bool):
        return
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise ValueError(f"{where} is a number of {len(str(value)[:5000])} digits")
    if isinstance(value, float) and not abs(value) <= LARGEST_REAL:
        raise ValueError(f"{where} is {value}")
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            check_numbers(getattr(value, name), f"{where}.{name}" if where else name)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_numbers(item, f"{where}.{key}")
    elif isinstance(value, tuple | list):
        for number, item in enumerate(value):
            check_numbers(item, f"{where}[{number}]")
