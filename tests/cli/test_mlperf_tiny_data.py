"""`edgerig mlperf-tiny data`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edgerig.cli import cli
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.datasets.mlperf_tiny.sample_folder import sample_files
from edgerig.errors import UnknownNameError, UsageError


def data(*words: str) -> Result:
    return CliRunner().invoke(cli, ["mlperf-tiny", "data", *words])


def test_a_folder_is_made_of_a_data_set(tmp_path: Path) -> None:
    records = np.random.RandomState(0).randint(0, 256, (30, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(30) % 10
    (tmp_path / "test_batch.bin").write_bytes(records.tobytes())
    done = data("ic01", "--from", str(tmp_path), "--out", str(tmp_path / "out"), "--samples", "10")
    assert done.exit_code == 0, done.output
    assert "10 to test" in done.stderr
    assert len(sample_files(tmp_path / "out" / "ic01", BENCHMARKS["ic01"])) == 10
    again = data("ic01", "--from", str(tmp_path), "--out", str(tmp_path / "out"))
    assert isinstance(again.exception, UsageError)


@pytest.mark.parametrize("name", ["kws01", "sww01"])
def test_a_folder_is_made_of_a_seed_and_said_to_be(tmp_path: Path, name: str) -> None:
    done = data(name, "--seeded", "2", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "made from a seed" in done.stderr
    assert (tmp_path / name / "train" / "y_labels.csv").is_file()
    assert isinstance(data(name, "--seeded", "2", "--out", str(tmp_path)).exception, UsageError)


def test_a_source_has_to_be_given_and_a_benchmark_that_there_is(tmp_path: Path) -> None:
    for words in (["kws01"], ["kws01", "--from", str(tmp_path), "--seeded", "3"]):
        error = data(*words, "--out", str(tmp_path / "out")).exception
        assert isinstance(error, UsageError)
        assert "one of the two" in error.message
    assert isinstance(data("kws1", "--seeded", "2", "--out", str(tmp_path)).exception, UnknownNameError)
