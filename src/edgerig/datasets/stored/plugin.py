"""The dataset ``stored``: a version of a dataset in a store, named by its address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
import numpy as np

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, Samples, SplitName
from edgerig.datasets.box_files import BoxedFiles
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.labels.classes import pixel_classes
from edgerig.datasets.labels.masks import image_boxes
from edgerig.datasets.labels.shapes import BACKGROUND, ImageLabels
from edgerig.datasets.stored.annotated import TASKS, Kind, StoredMasks, check_pictures, judged, kind_of, read_labels
from edgerig.datasets.stored.fetch import Wanted, fetch
from edgerig.datasets.stored.pin import Pinned, pin
from edgerig.datasets.stored.samples import StoredImages, check_stored_images
from edgerig.datasets.stored.splits import split_entries
from edgerig.errors import FOLDER_OF_PICTURES, DatasetError, UsageError
from edgerig.progress import Progress
from edgerig.store import DatasetAddress, parse_address
from edgerig.store.types import Sha256
from edgerig.text import counted


class StoredSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of ``stored``."""

    address: Annotated[
        str, msgspec.Meta(description="s3://bucket/prefix/NAME@N, or FOLDER/NAME@N; without @N the newest version")
    ]
    sha256: Annotated[
        Sha256 | None, msgspec.Meta(description="hash of the version's file, which it must have: a run writes it down")
    ] = None
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 96
    channels: Annotated[Literal[1, 3], msgspec.Meta(description="1 for grey, 3 for RGB")] = 3
    labels: Annotated[
        Literal["auto", "classes", "masks", "boxes"],
        msgspec.Meta(
            description="what to use of the labels: classes of pictures, masks of their annotations, or boxes; auto "
            "takes annotations where there are some, as masks unless an object has a box alone"
        ),
    ] = "auto"
    validation: Annotated[float, msgspec.Meta(description="share of each class to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of each class to test with", gt=0, lt=1)] = 0.2


class Stored(Dataset):
    """Pictures of a version in a store, fetched into the cache by their content.

    They are for classification by their labels, or for segmentation or detection by their annotations.

    A rig file or command names it by its address alone: ``dataset: s3://lab/street@7``. Without a number the newest
    version is settled on when the run begins, and the bundle says which.
    """

    name: ClassVar[str] = "stored"
    summary: ClassVar[str] = "a version of a dataset in object storage or a folder: s3://lab/street@7"
    extra: ClassVar[str | None] = "store,images"
    modules: ClassVar[tuple[str, ...]] = ("obstore", "PIL")
    Settings: ClassVar[type[plugins.Settings]] = StoredSettings

    settings: StoredSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._pinned: Pinned | None = None
        self._labels: dict[str, ImageLabels] | None = None
        self._kind: Kind | None = None
        self._asked_task = ""
        _refuse_plain(self.settings.address)
        self._call_itself(self.settings.address)

    @property
    def classes(self) -> tuple[str, ...]:
        classes = self._pin().version.classes
        if self.labels == "masks":
            return pixel_classes(classes)
        return tuple(name for name in classes if name != BACKGROUND) if self.labels == "boxes" else classes

    @property
    def preprocessing(self) -> Preprocessing:
        return self.settings.preprocessing(self.settings.size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, self.settings.channels)

    def pinned(self) -> Mapping[str, Any]:
        pinned = self._pin()
        return {"address": pinned.address, "sha256": pinned.version.sha256}

    @classmethod
    def unpinned(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        address = parse_address(str(options.get("address", "")))
        rest = {key: value for key, value in options.items() if key != "sha256"}
        return {**rest, "address": str(DatasetAddress(address.store, address.name))}

    def _pin(self) -> Pinned:
        """The version, settled once."""
        if self._pinned is None:
            self.require()
            self._pinned = pin(self.settings.address, self.settings.sha256)
            settled = {"address": self._pinned.address, "sha256": self._pinned.version.sha256}
            self.settings = msgspec.structs.replace(self.settings, **settled)
            self._call_itself(self._pinned.address)
        return self._pinned

    def _call_itself(self, address: str) -> None:
        """Let messages and results name the dataset by its address."""
        self.name = address  # type: ignore[misc]  # one instance's own

    @property
    def labels(self) -> Kind:
        """What pictures are labelled with: as the settings, the task or the version's entries say."""
        if self.settings.labels != "auto":
            return self.settings.labels
        asked = next((kind for kind, task in TASKS.items() if task == self._asked_task), None)
        if asked is not None:
            return cast(Kind, asked)
        if not any(entry.annotation is not None for entry in self._pin().version.entries):
            return "classes"
        if self._kind is None:
            self._kind = kind_of(list(self._read_annotations(Progress()).values()))
        return self._kind

    @property
    def task(self) -> str:
        return self._asked_task or TASKS[self.labels]

    @task.setter
    def task(self, name: str) -> None:
        self._asked_task = name

    def _prepare(self, progress: Progress) -> None:
        pinned, kind = self._pin(), self.labels
        field, what = ("label", "a label") if kind == "classes" else ("annotation", "an annotation")
        entries = [entry for entry in pinned.version.entries if getattr(entry, field) is not None]
        if not entries:
            hint = "Label them: edgerig label, or edgerig data import."
            raise DatasetError(f"No picture of {pinned.address} has {what}.", hint)
        if kind == "classes" and len(self.classes) < 2:
            raise DatasetError(f"{pinned.address} has one class only, {self.classes[0]!r}.", "Label a second one.")
        left_out = len(pinned.version.entries) - len(entries)
        if left_out:
            progress.log(f"{pinned.address}: {counted(left_out, 'file')} without {what}, not used")
        self._entries = split_entries(entries, self.settings.test, self.settings.validation)
        used = [entry for split in SPLITS for entry in self._entries[split]]
        paths = fetch(pinned, [Wanted(entry.sha256, entry.size, entry.name) for entry in used], progress)
        self._paths = {entry.name: path for entry, path in zip(used, paths, strict=True)}
        check_stored_images({self._paths[entry.name]: entry.name for entry in used}, progress)
        if kind != "classes":
            labels = self._read_annotations(progress)
            pictures = [(self._paths[entry.name], entry.name, labels[entry.name]) for entry in used]
            check_pictures(pictures, self.classes, kind, progress)

    def _read_annotations(self, progress: Progress) -> dict[str, ImageLabels]:
        """The labels of the pictures that have some, by the names of their entries; read once."""
        if self._labels is None:
            pairs = [(entry.name, entry.annotation) for entry in self._pin().version.entries if entry.annotation]
            paths = fetch(self._pin(), [Wanted(sha256, None, "labels.json") for _, sha256 in pairs], progress)
            self._annotations = {name: path for (name, _), path in zip(pairs, paths, strict=True)}
            self._labels = {name: read_labels(path, name) for name, path in self._annotations.items()}
        return self._labels

    def _split(self, name: SplitName) -> Samples:
        entries, settings = self._entries[name], self.settings
        paths = [self._paths[entry.name] for entry in entries]
        names = [entry.name for entry in entries]
        numbers = {label: number for number, label in enumerate(self.classes)}
        if self.labels == "classes":
            return StoredImages(paths, [numbers[entry.label or ""] for entry in entries], names, settings.channels)
        labels = self._read_annotations(Progress())
        if self.labels == "masks":
            annotations = [self._annotations[name] for name in names]
            return StoredMasks(paths, annotations, names, numbers, settings.channels)
        boxes = [image_boxes(judged(labels[name]), numbers) for name in names]
        sizes = np.array([(labels[name].height, labels[name].width) for name in names], np.int64).reshape(-1, 2)
        return BoxedFiles(paths, boxes, sizes, settings.channels)


def _refuse_plain(address: str) -> None:
    """Refuse a file, or a folder of pictures, that is named as a dataset in a store would be.

    Raises:
        UsageError: It is one.
    """
    path = Path(address)
    if "://" in address or not path.exists() or any(path.glob("v*.json")):
        return
    if not path.is_dir():
        raise UsageError(f"{address} is a file that no dataset reads by its name.", "Datasets: edgerig list datasets.")
    raise UsageError(f"{address} is a folder, and no dataset in a store.", FOLDER_OF_PICTURES.format(address))
