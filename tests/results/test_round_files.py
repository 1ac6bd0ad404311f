"""Rounds on disk: their raw times, and bundles of before there were rounds."""

from pathlib import Path

import numpy as np
import pytest

from edgerig.errors import StorageError
from edgerig.results.round_files import read_round_times, round_file, write_round_times


def folder_with_rounds(folder: Path) -> list[np.ndarray]:
    rounds = [np.arange(5), np.arange(3) + 10, np.arange(4) + 20]
    np.savez_compressed(folder / "samples.npz", times_ns=rounds[0], scores=np.zeros((5, 2), np.float32))
    for number, times in enumerate(rounds[1:], 2):
        write_round_times(folder, number, times)
    return rounds


def test_each_round_is_read_back_by_its_number(tmp_path: Path) -> None:
    rounds = folder_with_rounds(tmp_path)
    read = read_round_times(tmp_path, [1, 2, 3], tmp_path)
    assert [list(times) for times in read] == [list(times) for times in rounds]
    assert [list(times) for times in read_round_times(tmp_path, [3], tmp_path)] == [list(rounds[2])]


def test_what_is_missing_damaged_or_too_large_is_named(tmp_path: Path) -> None:
    folder_with_rounds(tmp_path)
    with pytest.raises(StorageError, match=r"0004\.npz"):
        read_round_times(tmp_path, [1, 4], tmp_path)
    with pytest.raises(StorageError, match="left of what is taken"):
        read_round_times(tmp_path, [1, 2, 3], tmp_path, limit=70)
    round_file(tmp_path, 2).write_bytes(b"PK")
    with pytest.raises(StorageError, match=r"0002\.npz"):
        read_round_times(tmp_path, [1, 2], tmp_path)
    np.savez(round_file(tmp_path, 3), times_ns=np.zeros((2, 2)))
    with pytest.raises(StorageError, match="no row of whole numbers"):
        read_round_times(tmp_path, [3], tmp_path)


def test_a_file_of_a_round_holds_nothing_else(tmp_path: Path) -> None:
    folder_with_rounds(tmp_path)
    np.savez(round_file(tmp_path, 2), times_ns=np.arange(2), scores=np.arange(2))
    with pytest.raises(StorageError, match="none of times_ns"):
        read_round_times(tmp_path, [2], tmp_path)
