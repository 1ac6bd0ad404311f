from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets import cifar10
from edgerig.datasets.base import Dataset
from edgerig.datasets.cifar10 import Cifar10
from edgerig.datasets.sources import Source
from edgerig.errors import DatasetError
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.testing.contracts.dataset import DatasetContract


@pytest.fixture
def small_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of the same form with 20 images a file, in the place of the fetched one."""
    rng = np.random.default_rng(0)
    for name in (*cifar10.TRAIN_FILES, *cifar10.TEST_FILES):
        if name.endswith(".png"):
            Image.fromarray(rng.integers(0, 256, (20, 1024, 3), np.uint8)).save(tmp_path / name)
    (tmp_path / "train_lables.json").write_text(json.dumps([i % 10 for i in range(100)]))
    (tmp_path / "test_lables.json").write_text(json.dumps([i % 10 for i in range(20)]))

    def fetch_all(sources: Sequence[Source], progress: Progress) -> list[Path]:
        assert all(source.sha256 for source in sources)
        return [tmp_path / source.address.rpartition("/")[2] for source in sources]

    monkeypatch.setattr(cifar10, "fetch_all", fetch_all)
    return tmp_path


class TestCifar10OfSmallFilesKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, small_package: Path) -> Dataset:
        return make("dataset", "cifar10", Dataset)


def test_a_row_of_pixels_is_an_image_in_reading_order(small_package: Path) -> None:
    dataset = Cifar10()
    picture = np.asarray(Image.open(small_package / "test_batch.png"))
    image = dataset.split("test").raw(3)
    np.testing.assert_array_equal(image[1, 2], picture[3, 32 + 2])


def test_a_picture_of_another_width_is_refused(small_package: Path) -> None:
    Image.new("RGB", (1000, 20)).save(small_package / "data_batch_2.png")
    with pytest.raises(DatasetError, match=r"data_batch_2\.png has rows of 1000 pixels"):
        Cifar10().prepare()


def test_labels_that_are_no_list_are_refused(small_package: Path) -> None:
    (small_package / "test_lables.json").write_text("[1, 2")
    with pytest.raises(DatasetError, match=r"test_lables\.json"):
        Cifar10().prepare()


@pytest.mark.slow
def test_the_real_files_hold_5000_and_1000_of_each_class() -> None:
    dataset = Cifar10()
    train, validation, test = (dataset.split(name) for name in ("train", "validation", "test"))  # type: ignore[arg-type]
    both = np.concatenate([train.labels, validation.labels])
    assert np.bincount(both).tolist() == [5000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    # The published mean of the training images, per channel, in 255ths.
    images = np.concatenate([train.array, validation.array])  # type: ignore[attr-defined]
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2)) / 255, [0.4914, 0.4822, 0.4465], atol=1e-4)
