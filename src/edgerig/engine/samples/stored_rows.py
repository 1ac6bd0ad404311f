"""An array of many samples that is written to a file portion by portion, and never held in memory as a whole."""

from __future__ import annotations

import mmap
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import storing

Array = NDArray[Any]


def release(rows: Array) -> None:
    """Give the pages of an array that is mapped from a file, as far as they were read, back to the system; of other
    arrays nothing. They are read again where they are needed again."""
    mapped: Any = rows.base
    if isinstance(mapped, mmap.mmap) and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


class StoredRows:
    """Writes portions of rows as one array of numpy's format (.npy, version 1.0); a context manager.

    Args:
        path: The file. count: The number of rows that will be appended.

    Raises:
        StorageError: It cannot be written.
    """

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        self.written = 0
        self._file: BinaryIO | None = None
        self._rest: tuple[Any, ...] | None = None

    def __enter__(self) -> StoredRows:
        with storing(self.path):
            self._file = self.path.open("wb")
        return self

    def append(self, portion: Array) -> None:
        """Append k rows, shape (k, ...); the first ones set shape and dtype."""
        assert self._file is not None, "it is entered first"
        portion = np.ascontiguousarray(portion)
        rest = (portion.dtype, portion.shape[1:])
        with storing(self.path):
            if self._rest is None:
                self._rest = rest
                header = {
                    "descr": np.lib.format.dtype_to_descr(portion.dtype),
                    "fortran_order": False,
                    "shape": (self.count, *portion.shape[1:]),
                }
                np.lib.format.write_array_header_1_0(self._file, header)
            assert rest == self._rest, f"rows of {rest} follow those of {self._rest}"
            self._file.write(portion.data)
        self.written += len(portion)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        with storing(self.path):
            self._file.close()
        if error is None:
            assert self.written == self.count, f"{self.written} rows instead of {self.count}"
