"""Several labels a sample out of an npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.datasets.base import SPLITS
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.errors import DatasetError
from edgerig.testing.contracts.dataset import DatasetContract


class Labelled(Npz):
    task = "multilabel"


def zoo(folder: Path, y: Any, **settings: Any) -> Npz:
    x = np.arange(2 * len(y), dtype=np.float32).reshape(-1, 2)
    np.savez(folder / "zoo.npz", x=x, y=y)
    return Labelled(NpzSettings(file=str(folder / "zoo.npz"), **settings))


def labels() -> Any:
    return (np.arange(120).reshape(40, 3) % (2, 3, 4) == 0).astype(np.int64)


class TestLabelMatrix(DatasetContract):
    @pytest.fixture
    def dataset(self, tmp_path: Path) -> Npz:
        return zoo(tmp_path, labels(), classes=("cat", "dog", "emu"))

    def test_splits_keep_samples_and_labels_together(self, dataset: Npz) -> None:
        rows = []
        for name in SPLITS:
            samples = dataset.split(name)
            numbers = (samples.inputs(slice(None), dataset.preprocessing)[:, 0] / 2).astype(int)
            np.testing.assert_array_equal(samples.truth(slice(None), dataset.preprocessing), labels()[numbers])
            rows += numbers.tolist()
        assert sorted(rows) == list(range(40))


def test_labels_without_names_are_numbered(tmp_path: Path) -> None:
    assert zoo(tmp_path, labels().astype(bool)).classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("y", "settings", "message"),
    [
        (np.zeros(40, np.int64), {}, r"int64 of shape \[40\]; for several labels a sample"),
        (np.zeros((40, 2)), {}, "float64 of shape"),
        (np.full((40, 2), 3), {}, "holds 3 for sample 0, label 0"),
        (np.full((40, 2), 255, np.uint8), {}, "holds 255 for sample 0"),
        (np.zeros((40, 2), np.int64), {"classes": ("cat",)}, "has 2 labels, and the names cat"),
        (np.zeros((40, 2), np.int64), {"classes": ("cat", "cat")}, "has 2 labels, and the names cat, cat"),
    ],
)
def test_what_is_no_matrix_of_labels_is_refused(y: Any, settings: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        zoo(tmp_path, y, **settings).prepare()


def test_a_matrix_names_the_task_that_reads_it(tmp_path: Path) -> None:
    data = zoo(tmp_path, labels())
    data.task = "classification"
    with pytest.raises(DatasetError) as caught:
        data.prepare()
    assert "--task multilabel" in str(caught.value.hint)
