"""The partial results of a cell, on disk: a run that was killed resumes after the last finished portion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.errors import StorageError, storing
from edgerig.results.reading import read_arrays

#: The arrays of a portion, besides those that the task keeps: times of its inferences (m,), counts of how the samples,
#: or their windows, fit the input (n, counts), and whether each sample's judged output was finite (n,), 1 or 0.
OWN = ("times_ns", "fit", "finite")


class Journal:
    """Portions of one cell's pass over the test samples, in order, without gaps.

    Args:
        folder: Folder of the portions, one file each.
        key: Hash of everything that the results depend on; portions with another key are not used.
        batch: Samples per inference.
        kept: Names of the arrays that the task keeps.
        windows: Of each sample, shape (n,), where it takes an inference for each.
        check: Called before anything in ``folder`` is changed, to refuse that.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        batch: int = 1,
        kept: tuple[str, ...] = ("scores",),
        windows: NDArray[np.int64] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.folder, self.key, self.batch, self.windows = folder, key, batch, windows
        self._check = check
        self.kept, self.names = kept, (*OWN, *kept)
        self._pieces: list[dict[str, NDArray[Any]]] = []

    @property
    def samples(self) -> int:
        """How many samples are finished."""
        return sum(len(piece["finite"]) for piece in self._pieces)

    def load(self) -> None:
        """Read the portions of an earlier run; the first damaged one and all after it are ignored."""
        marker = self.folder / "key"
        if marker.is_file() and marker.read_bytes() == self.key.encode():
            while (piece := self._read(self._path(len(self._pieces)))) is not None:
                self._pieces.append(piece)
            return
        self._check()
        shutil.rmtree(self.folder, ignore_errors=True)

    def append(self, **arrays: NDArray[Any]) -> None:
        """Store a portion of n samples: the arrays of `OWN`, and those that the task keeps, each (n, ...)."""
        self._check()
        with storing(self.folder):
            if not self._pieces:
                files.write_text(self.folder / "key", self.key)
            path = self._path(len(self._pieces))
            temporary = path.with_suffix(".tmp")
            # No fsync: this protects from a killed process; a portion damaged by a system crash is detected on reading.
            with temporary.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            temporary.replace(path)
        self._pieces.append(arrays)

    def joined(self, name: str) -> NDArray[Any]:
        """One array, concatenated over all portions."""
        return np.concatenate([piece[name] for piece in self._pieces])

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"

    def _read(self, path: Path) -> dict[str, NDArray[Any]] | None:
        try:
            piece = read_arrays(path, self.folder, self.names, known=self.names)
        except StorageError:
            return None
        if len(piece) < len(self.names) or not all(array.ndim for array in piece.values()):
            return None
        first, samples = self.samples, len(piece["finite"])
        inferences, fits = -(-samples // self.batch), samples
        if self.windows is not None:
            inferences = fits = int(self.windows[first : first + samples].sum())
        lengths = {**dict.fromkeys(self.names, samples), "times_ns": inferences, "fit": fits}
        return piece if all(len(piece[name]) == length for name, length in lengths.items()) else None
