"""Pieces of a cell on disk: what is whole comes back, and what is damaged, or somebody else's, ends the row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.engine.rounds.journal import Journal
from edgerig.results import reading

PIECES = 3
SAMPLES = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    journal = Journal(tmp_path / "partial", "key")
    for _ in range(PIECES):
        journal.append(
            scores=np.ones((SAMPLES, 4), np.float32),
            times_ns=np.arange(SAMPLES),
            fit=np.zeros((SAMPLES, 3), np.int64),
            finite=np.ones(SAMPLES, np.uint8),
        )
    return tmp_path / "partial"


def finished(folder: Path) -> int:
    journal = Journal(folder, "key")
    journal.load()
    return journal.samples


def test_whole_pieces_come_back(folder: Path) -> None:
    assert finished(folder) == PIECES * SAMPLES


@pytest.mark.parametrize("content", [b"", b"ke", b"key2", b"\xff\xfe\0", b"\0" * 100])
def test_a_damaged_key_begins_anew(folder: Path, content: bytes) -> None:
    (folder / "key").write_bytes(content)
    assert finished(folder) == 0
    assert not folder.exists()


@pytest.mark.slow
def test_one_flipped_byte_anywhere_costs_a_piece_and_no_more(folder: Path) -> None:
    path = folder / "000001.npz"
    sound = path.read_bytes()
    counts = set()
    # A flip in the records of the archive asks for a password, for another compression or for gigabytes.
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 0xFF]) + sound[at + 1 :])
        counts.add(finished(folder))
    # Some bytes, such as the date of an entry, say nothing.
    assert counts <= {SAMPLES, PIECES * SAMPLES}
    assert SAMPLES in counts


def test_arrays_that_no_run_writes_end_the_row(folder: Path) -> None:
    path = folder / "000001.npz"
    whole = {
        "scores": np.ones((SAMPLES, 4), np.float32),
        "times_ns": np.arange(SAMPLES),
        "fit": np.zeros((SAMPLES, 3)),
        "finite": np.ones(SAMPLES, np.uint8),
    }
    np.savez(path, **whole)  # type: ignore[arg-type]
    assert finished(folder) == PIECES * SAMPLES
    for changed in (
        {"scores": np.float32(1)},
        {"times_ns": np.arange(2)},
        {"fit": np.zeros((2, 3))},
        {"finite": np.ones(2, np.uint8)},
        {"more": np.zeros(2)},
        {"scores": np.array(["a"] * SAMPLES)},
    ):
        np.savez(path, **{**whole, **changed})  # type: ignore[arg-type]
        assert finished(folder) == SAMPLES


def test_a_piece_that_would_unpack_to_more_than_any_cell_has_ends_the_row(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "000001.npz"
    scores = np.zeros((SAMPLES, 200_000), np.float32)
    rest = {"times_ns": np.arange(SAMPLES), "fit": np.zeros((SAMPLES, 3)), "finite": np.ones(SAMPLES, np.uint8)}
    np.savez_compressed(path, scores=scores, **rest)  # type: ignore[arg-type]
    assert path.stat().st_size < 1 << 14
    assert finished(folder) == PIECES * SAMPLES
    monkeypatch.setattr(reading, "MAX_ARRAYS", 1 << 20)
    assert finished(folder) == SAMPLES
