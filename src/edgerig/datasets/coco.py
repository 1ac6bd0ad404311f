"""A user's own images with boxes, annotated in COCO's format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.datasets.box_files import BoxedFiles, check_sizes
from edgerig.datasets.coco_file import CocoImage, read_coco
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.tasks.box_truth import ImageBoxes

#: Names of the file and of the folder where the settings name no others.
USUAL_FILE, USUAL_FOLDER = "annotations.json", "images"


class CocoSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of ``coco``."""

    root: Annotated[str, msgspec.Meta(description="folder that holds the annotations and the images")]
    annotations: Annotated[str, msgspec.Meta(description="file of annotations, within root")] = USUAL_FILE
    images: Annotated[str, msgspec.Meta(description="folder of the images, within root")] = USUAL_FOLDER
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 320
    channels: Annotated[Literal[1, 3], msgspec.Meta(description="1 for grey, 3 for RGB")] = 3
    numbers: Annotated[
        Literal["ranks", "ids"],
        msgspec.Meta(
            description="what a network's class numbers are: ranks of the categories' ids, or these ids counted from "
            "the smallest, with gaps"
        ),
    ] = "ranks"
    validation: Annotated[float, msgspec.Meta(description="share of the images to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of the images to test with", gt=0, lt=1)] = 0.2


class _Part(NamedTuple):
    """Images of a split: their files, what the annotations say of them, their boxes."""

    paths: list[Path]
    images: list[CocoImage]
    boxes: list[ImageBoxes]


class Coco(Dataset):
    """Images in a folder and a file of annotations, split by the hash of the images' names.

    Where ``root`` holds folders ``train`` and ``test`` (and perhaps ``validation``), each with such a file and folder,
    these are the splits.
    """

    name: ClassVar[str] = "coco"
    summary: ClassVar[str] = "detection: your own images with boxes, annotated in COCO's format"
    extra: ClassVar[str | None] = "images"
    modules: ClassVar[tuple[str, ...]] = ("PIL",)
    task: str = "detection"
    Settings: ClassVar[type[plugins.Settings]] = CocoSettings

    settings: CocoSettings
    _classes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        self.prepare()
        return self._classes

    @property
    def preprocessing(self) -> Preprocessing:
        return self.settings.preprocessing(self.settings.size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, self.settings.channels)

    def _prepare(self, progress: Progress) -> None:
        root = Path(self.settings.root).expanduser()
        if not root.is_dir():
            raise DatasetError(
                f"There is no folder {root}.", "Give the folder that holds annotations and images: --dataset-root."
            )
        ready = {split: root / split for split in SPLITS if (root / split).is_dir()}
        parts = self._ready_made(ready) if {"train", "test"} <= set(ready) else self._cut(self._read(root))
        for part in parts.values():
            check_sizes(part.paths, [(image.height, image.width) for image in part.images], progress)
        self._parts = parts

    def _ready_made(self, folders: Mapping[SplitName, Path]) -> dict[SplitName, _Part]:
        """The splits that the user has made.

        Raises:
            DatasetError: They differ in their classes.
        """
        parts: dict[SplitName, _Part] = {}
        classes: dict[SplitName, tuple[str, ...]] = {}
        for split, folder in folders.items():
            parts[split], classes[split] = self._read(folder), self._classes
            if classes[split] != classes["train"]:
                raise DatasetError(
                    f"{folder} has the classes {', '.join(classes[split])}, {folders['train']} has "
                    f"{', '.join(classes['train'])}.",
                    "Name the same categories in the same order in all of them.",
                )
        return {split: parts.get(split, _Part([], [], [])) for split in SPLITS}

    def _read(self, folder: Path) -> _Part:
        annotated = read_coco(folder / self.settings.annotations, by_id=self.settings.numbers == "ids")
        self._classes = annotated.classes
        root = folder / self.settings.images
        paths = [root / image.file_name for image in annotated.images]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise DatasetError(
                f"{len(missing):,} of {len(paths):,} annotated images are not there; the first is {missing[0]}.",
                f"Put them into {root}, or name another folder: 'images'.",
            )
        return _Part(paths, annotated.images, annotated.boxes)

    def _cut(self, part: _Part) -> dict[SplitName, _Part]:
        if len(part.paths) < 3:
            raise DatasetError(
                f"{len(part.paths)} annotated images are too few to train, validate and test.",
                "Annotate more, or make folders `train` and `test`.",
            )
        names: tuple[SplitName, ...] = ("train", "test", "validation")
        chosen = split_by_name(
            [image.file_name for image in part.images], [self.settings.test, self.settings.validation]
        )
        return {
            split: _Part(*([entries[index] for index in indices] for entries in part))
            for split, indices in zip(names, chosen, strict=True)
        }

    def _split(self, name: SplitName) -> BoxedFiles:
        part = self._parts[name]
        sizes = np.array([(image.height, image.width) for image in part.images], np.int64).reshape(-1, 2)
        return BoxedFiles(part.paths, part.boxes, sizes, self.settings.channels)
