"""A user's own images, in one folder for each class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec

from edgerig import plugins
from edgerig.datasets.annotated_images import image_root
from edgerig.datasets.base import SplitName
from edgerig.datasets.image_files import ImageFiles
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.images import SUFFIXES, image_samples
from edgerig.datasets.samples import FileSamples
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.store.folders import SPLIT_FOLDERS

Files = dict[str, list[Path]]


class FolderSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of ``folder``."""

    root: Annotated[str, msgspec.Meta(description="folder that holds one folder of images for each class")]
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 96
    channels: Annotated[Literal[1, 3], msgspec.Meta(description="1 for grey, 3 for RGB")] = 3
    validation: Annotated[float, msgspec.Meta(description="share of each class to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of each class to test with", gt=0, lt=1)] = 0.2


class Folder(ImageFiles):
    """Images in one folder for each class, ``root/<class>/<image>``.

    Each class is split by the hash of its files' names. Where ``root`` holds folders ``train`` and ``test`` (and
    perhaps ``validation``), each with folders of classes, these are the splits; validation is split off ``train``
    if there is none.
    """

    name: ClassVar[str] = "folder"
    summary: ClassVar[str] = "your own images, in one folder for each class"
    Settings: ClassVar[type[plugins.Settings]] = FolderSettings

    settings: FolderSettings

    def _prepare(self, progress: Progress) -> None:
        root = image_root(self.settings.root, "one of images for each class")
        parts = self._ready_made(root) or self._cut(_files_by_class(root), ("test", "validation"))
        self._classes = tuple(parts["train"])
        if len(self._classes) < 2:
            raise DatasetError(f"{root} holds one class only, {self._classes[0]!r}.", "Make one folder for each class.")
        self._hold({split: self._samples(by_class) for split, by_class in parts.items()}, progress)

    def _ready_made(self, root: Path) -> dict[SplitName, Files] | None:
        """The splits that the user has made, or None if there are none."""
        folders = {
            split: next((root / name for name in names if (root / name).is_dir()), None)
            for split, names in SPLIT_FOLDERS.items()
        }
        if (
            folders["train"] is None
            or folders["test"] is None
            or not (_folders(folders["train"]) and _folders(folders["test"]))
        ):
            return None
        parts = {split: _files_by_class(folder) for split, folder in folders.items() if folder is not None}
        for split, by_class in parts.items():
            for name in sorted(set(by_class) ^ set(parts["train"])):
                lacking = folders[split] if name in parts["train"] else folders["train"]
                raise DatasetError(
                    f"Class {name!r} is empty: {lacking} has no folder for it.", "Add it, or take it out."
                )
        return parts if "validation" in parts else {**self._cut(parts["train"], ("validation",)), "test": parts["test"]}

    def _cut(self, by_class: Files, splits: tuple[Literal["test", "validation"], ...]) -> dict[SplitName, Files]:
        """Split each class into a training part and ``splits``."""
        shares = [getattr(self.settings, split) for split in splits]
        needed = 1 + sum(share > 0 for share in shares)
        parts: dict[SplitName, Files] = {"train": {}, "validation": {}, "test": {}}
        for name, paths in by_class.items():
            if len(paths) < needed or sum(shares) >= 1:
                raise DatasetError(
                    f"Class {name!r} has {len(paths)} images, too few to train, validate and test.",
                    f"Add images (at least {needed} are needed), or change the shares 'validation' and 'test'.",
                )
            chosen = split_by_name([f"{name}/{path.name}" for path in paths], shares)
            names: tuple[SplitName, ...] = ("train", *splits)
            for split, indices in zip(names, chosen, strict=True):
                parts[split][name] = [paths[i] for i in indices]
        return parts

    def _samples(self, by_class: Files) -> FileSamples:
        pairs = [(path, self._classes.index(name)) for name, paths in by_class.items() for path in paths]
        return image_samples([path for path, _ in pairs], [label for _, label in pairs], self.settings.channels)


def _files_by_class(root: Path) -> Files:
    """The image files of each class, both sorted by name.

    Raises:
        DatasetError: There are no classes, or one has no images; names it.
    """
    folders = _folders(root)
    if not folders:
        raise DatasetError(f"{root} holds no folders of images.", "Make one folder for each class.")
    by_class = {}
    for folder in folders:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        if not paths:
            raise DatasetError(
                f"Class {folder.name!r} is empty: {folder} holds no images.",
                f"Add images or remove the folder. Images end in {', '.join(SUFFIXES)}.",
            )
        by_class[folder.name] = paths
    return by_class


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
