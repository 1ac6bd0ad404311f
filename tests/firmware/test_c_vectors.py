"""The C receiver agrees with the golden vectors, however the bytes are cut."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "wire" / "vectors" / "frames.txt"


@pytest.mark.slow
@pytest.mark.parametrize("program", ["er_vectors", "er_vectors.san"])
def test_every_vector_split_at_every_byte(built: Path, program: str) -> None:
    done = subprocess.run([built / program, VECTORS], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    found = re.search(r"vectors (\d+), tried (\d+), wrong 0", done.stdout)
    assert found is not None
    assert int(found[1]) == VECTORS.read_text().count("\nvector ")
    assert int(found[2]) > 10_000


@pytest.mark.slow
def test_a_wrong_expectation_is_noticed(built: Path, tmp_path: Path) -> None:
    text = VECTORS.read_text().replace("frame 0 ", "frame 1 ", 1)
    (tmp_path / "frames.txt").write_text(text)
    done = subprocess.run([built / "er_vectors", tmp_path / "frames.txt"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "wrong 0" not in done.stdout
