"""A user's own images with boxes, annotated in COCO's format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec
import numpy as np

from edgerig import plugins
from edgerig.datasets.annotated_images import AnnotatedImages, AnnotatedImageSettings
from edgerig.datasets.base import SPLITS, SplitName
from edgerig.datasets.box_files import BoxedFiles, check_sizes
from edgerig.datasets.labels import coco
from edgerig.datasets.labels.masks import image_boxes
from edgerig.datasets.labels.shapes import Category, ImageLabels
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.tasks.box_truth import ImageBoxes

#: Names of the file and of the folder where the settings name no others.
USUAL_FILE, USUAL_FOLDER = "annotations.json", "images"


class CocoSettings(AnnotatedImageSettings, frozen=True, kw_only=True):
    """Settings of ``coco``."""

    annotations: Annotated[str, msgspec.Meta(description="file of annotations, within root")] = USUAL_FILE
    images: Annotated[str, msgspec.Meta(description="folder of the images, within root")] = USUAL_FOLDER
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 320
    numbers: Annotated[
        Literal["ranks", "ids"],
        msgspec.Meta(
            description="what a network's class numbers are: ranks of the categories' ids, or these ids counted from "
            "the smallest, with gaps"
        ),
    ] = "ranks"


class _Part(NamedTuple):
    """Images of a split: their names and files, what the annotations say of them, their boxes."""

    names: list[str]
    paths: list[Path]
    images: list[ImageLabels]
    boxes: list[ImageBoxes]


class Coco(AnnotatedImages):
    """Images in a folder and a file of annotations, split by the hash of the images' names.

    Where ``root`` holds folders ``train`` and ``test`` (and perhaps ``validation``), each with such a file and folder,
    these are the splits.
    """

    name: ClassVar[str] = "coco"
    summary: ClassVar[str] = "detection: your own images with boxes, annotated in COCO's format"
    holds: ClassVar[str] = "annotations and images"
    task: str = "detection"
    Settings: ClassVar[type[plugins.Settings]] = CocoSettings

    settings: CocoSettings
    _classes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        self.prepare()
        return self._classes

    def _prepare(self, progress: Progress) -> None:
        root = self._root()
        folders = self._ready_made(root)
        parts = self._read_splits(folders) if folders else self._read_and_cut(root)
        for part in parts.values():
            check_sizes(part.paths, [(image.height, image.width) for image in part.images], progress)
        self._parts = parts

    def _read_splits(self, folders: Mapping[SplitName, Path]) -> dict[SplitName, _Part]:
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
        return {split: parts.get(split, _Part([], [], [], [])) for split in SPLITS}

    def _read(self, folder: Path) -> _Part:
        annotated = coco.read(folder / self.settings.annotations, outlines=False)
        self._classes, numbers = _numbered(annotated.categories, by_id=self.settings.numbers == "ids")
        root = folder / self.settings.images
        names, images = list(annotated.images), list(annotated.images.values())
        paths = [root / name for name in names]
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise DatasetError(
                f"{len(missing):,} of {len(paths):,} annotated images are not there; the first is {missing[0]}.",
                f"Put them into {root}, or name another folder: 'images'.",
            )
        return _Part(names, paths, images, [image_boxes(image, numbers) for image in images])

    def _read_and_cut(self, root: Path) -> dict[SplitName, _Part]:
        part = self._read(root)
        chosen = self._cut(part.names)
        return {
            split: _Part(*([entries[index] for index in indices] for entries in part))
            for split, indices in chosen.items()
        }

    def _split(self, name: SplitName) -> BoxedFiles:
        part = self._parts[name]
        sizes = np.array([(image.height, image.width) for image in part.images], np.int64).reshape(-1, 2)
        return BoxedFiles(part.paths, part.boxes, sizes, self.settings.channels)


def _numbered(categories: Sequence[Category], *, by_id: bool) -> tuple[tuple[str, ...], dict[str, int]]:
    """The names of classes by their numbers, and the number of each.

    A number is the rank of the category's id; where ``by_id``, the id, counted from the smallest, gaps included.
    """
    first = categories[0].id
    numbers = {entry.name: entry.id - first if by_id else rank for rank, entry in enumerate(categories)}
    names = {number: name for name, number in numbers.items()}
    classes = tuple(names.get(number, f"no class {first + number}") for number in range(1 + max(names)))
    return classes, numbers
