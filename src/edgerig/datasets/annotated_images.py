"""The common base of datasets of a user's own images, each with what is right for it beside it, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError

#: Fewest images that can be split in three.
FEWEST = 3


class AnnotatedImageSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of a dataset of annotated images in a folder."""

    root: Annotated[str, msgspec.Meta(description="folder that holds the images and what is right for them")]
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 128
    channels: Annotated[Literal[1, 3], msgspec.Meta(description="1 for grey, 3 for RGB")] = 3
    validation: Annotated[float, msgspec.Meta(description="share of the images to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of the images to test with", gt=0, lt=1)] = 0.2


class AnnotatedImages(Dataset):
    """Images in the folder ``root``, split by the hash of their names.

    Where ``root`` holds folders ``train`` and ``test`` (and perhaps ``validation``), these are the splits.

    Class attributes:
        holds: What ``root`` holds, for messages.
    """

    holds: ClassVar[str]
    extra: ClassVar[str | None] = "images"
    modules: ClassVar[tuple[str, ...]] = ("PIL",)

    settings: AnnotatedImageSettings

    @property
    def preprocessing(self) -> Preprocessing:
        return self.settings.preprocessing(self.settings.size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, self.settings.channels)

    def _root(self) -> Path:
        return image_root(self.settings.root, self.holds)

    def _ready_made(self, root: Path) -> dict[SplitName, Path]:
        """The folders of the splits that the user has made; empty where there are none."""
        folders = {split: root / split for split in SPLITS if (root / split).is_dir()}
        return folders if {"train", "test"} <= folders.keys() else {}

    def _cut(self, names: Sequence[str]) -> dict[SplitName, NDArray[np.int64]]:
        """Positions of the images of each split, out of their names.

        Raises:
            DatasetError: There are too few.
        """
        if len(names) < FEWEST:
            raise DatasetError(
                f"{self.settings.root} holds {len(names)} images, too few to train, validate and test.",
                "Add more, or make folders `train` and `test`.",
            )
        splits: tuple[SplitName, ...] = ("train", "test", "validation")
        chosen = split_by_name(names, [self.settings.test, self.settings.validation])
        return dict(zip(splits, chosen, strict=True))


def image_root(root: str, holds: str) -> Path:
    """The folder of a user's images, checked to be there; ``holds`` says what it is to hold.

    Raises:
        DatasetError: It is not there, or a file.
    """
    path = Path(root).expanduser()
    if path.is_dir():
        return path
    text = f"{path} is a file, not a folder of images." if path.exists() else f"There is no folder {path}."
    raise DatasetError(text, f"Give the folder that holds {holds}: --dataset-root; in a rig file, 'root'.")
