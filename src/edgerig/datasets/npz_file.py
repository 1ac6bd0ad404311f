"""The arrays of an npz file: one input, ``x``, or several, ``x_NAME``; whole, or in splits."""

from __future__ import annotations

import errno
import re
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import DatasetError

Array = NDArray[Any]

FORM = (
    "It must hold x_train, y_train, x_test and y_test (and perhaps x_validation, y_validation), or x and y to be "
    "split; for several inputs x_NAME_train, or x_NAME, of each."
)
#: What to do about arrays that differ in length.
ONE_EACH = "Give each sample one entry in each array, in the same order."
SHARED = ("classes",)
#: The errors of numpy and zipfile on damaged files.
_DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class Names(msgspec.Struct, frozen=True):
    """What the arrays of a file are called.

    Attributes:
        parts: Ends of the names, one for each split; ``("",)`` where all samples are in one.
        inputs: Names of the inputs; ``("",)`` for a single one without a name.
    """

    parts: tuple[str, ...]
    inputs: tuple[str, ...]

    def inputs_of(self, part: str) -> dict[str, str]:
        """The array of each input in a part, by the input's name."""
        return {name: f"x_{name}{part}" if name else f"x{part}" for name in self.inputs}

    @property
    def arrays(self) -> list[str]:
        """All of them, labels too."""
        return [name for part in self.parts for name in (*self.inputs_of(part).values(), f"y{part}")]


def names_in(arrays: Sequence[str], path: Path) -> Names:
    """What the arrays called ``arrays`` are.

    Raises:
        DatasetError: Some that are needed are missing, or there are splits and a whole.
    """
    whole = {"x", "y"} & set(arrays)
    split = {"x_train", "y_train", "x_test", "y_test"} & set(arrays)
    if whole and split:
        raise DatasetError(f"{path} holds both {min(whole)} and {min(split)}.", FORM)
    parts = ("",) if whole else ("_train", "_test")
    if {"x_validation", "y_validation"} & set(arrays):
        parts = (*parts, "_validation")
    names = Names(parts, _inputs(arrays, parts[0]))
    missing = [name for name in names.arrays if name not in arrays]
    if missing:
        raise DatasetError(f"{path} lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}.", FORM)
    return names


def _inputs(arrays: Sequence[str], part: str) -> tuple[str, ...]:
    """Names of the inputs by the arrays of one part; one without a name wins over others that are not meant."""
    if f"x{part}" in arrays:
        return ("",)
    pattern = re.compile(rf"x_(.+){part}")
    inputs = [match[1] for array in arrays if (match := pattern.fullmatch(array))]
    # Beside a whole, those of the validation split have the same beginning.
    others = {f"{name}_validation" for name in inputs}
    return tuple(name for name in inputs if name not in others) or ("",)


def read_npz(path: Path) -> tuple[Names, dict[str, Array]]:
    """What the arrays of an npz file are, and these by their own names; those of other names are not read.

    Raises:
        DatasetError: It is no npz file, or truncated, or contains pickled objects, which could run any code.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DatasetError(f"{path} holds a single array.", f"Save an npz file with np.savez. {FORM}")
        with archive:
            names = names_in(archive.files, path)
            known = {
                *names.arrays,
                *SHARED,
                *(f"{name}{part}" for name in ("windows", "stream") for part in names.parts),
            }
            return names, {name: _read(archive, name, path) for name in archive.files if name in known}
    except _DAMAGED as error:
        # A damaged offset makes a seek fail with EINVAL: the file is at fault, not the disk.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise DatasetError(
                f"Cannot read {path}: {error.strerror}.", "Is the path right, and may you read it?"
            ) from error
        # numpy's own message advises allow_pickle=True, which would run any code in the file.
        why = "" if "pickle" in str(error) else f": {error}"
        raise DatasetError(f"{path} is no npz file, or is truncated{why}.", "Make or fetch it again.") from error


def _read(archive: Any, name: str, path: Path) -> Array:
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"{path}: {name} holds pickled objects, which edgerig does not load because they could run any code.",
                "Save numbers: np.asarray(values, dtype=...) fails where rows differ in length.",
            ) from error
        raise
