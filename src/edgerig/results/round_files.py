"""The raw times of a cell's rounds: the first round's are with the cell's samples, each later one has a file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.errors import StorageError
from edgerig.results.reading import read_arrays

TIMES = ("times_ns",)


def round_file(folder: Path, number: int) -> Path:
    """The path of the raw times of round ``number``, from 2, of the cell in ``folder``."""
    return folder / "rounds" / f"{number:04}.npz"


def write_round_times(folder: Path, number: int, times_ns: NDArray[np.int64]) -> None:
    """Store the raw times of one round, shape (m,), of the cell in ``folder``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, times_ns=times_ns)
    files.write_bytes(round_file(folder, number), buffer.getvalue())


def write_load_times(folder: Path, number: int, arrays: dict[str, NDArray[np.int64]]) -> None:
    """Store the raw times under load of one round, an array of shape (requests,) each, of the cell in ``folder``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    files.write_bytes(folder / "load" / f"{number:04}.npz", buffer.getvalue())


def read_round_times(
    folder: Path, numbers: Sequence[int], bundle: Path, limit: int | None = None
) -> tuple[NDArray[np.int64], ...]:
    """The raw times of rounds by number, shape (m,) each, of the cell in ``folder``.

    Args:
        folder: The cell's folder. bundle: The folder that contains all.
        numbers: The rounds.
        limit: Largest size of all of them, in bytes.

    Raises:
        StorageError: One is missing or damaged, or they are larger than ``limit``.
    """
    rounds = []
    for number in numbers:
        path = folder / "samples.npz" if number == 1 else round_file(folder, number)
        arrays = read_arrays(path, bundle, TIMES, limit) if number == 1 else _read_later(path, bundle, limit)
        times = arrays.get("times_ns")
        if times is None or times.ndim != 1 or not np.issubdtype(times.dtype, np.integer):
            raise StorageError(
                f"{path} is damaged: it holds no row of whole numbers called times_ns.", "Measure the cell again."
            )
        limit = None if limit is None else limit - times.nbytes
        rounds.append(times)
    return tuple(rounds)


def _read_later(path: Path, bundle: Path, limit: int | None) -> dict[str, NDArray[np.int64]]:
    return read_arrays(path, bundle, TIMES, limit, known=TIMES)
