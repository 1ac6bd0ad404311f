"""The common base of datasets of image files: Pillow, a size to resize to, and classes that are known once prepared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.images import check_images
from edgerig.datasets.samples import FileSamples
from edgerig.progress import Progress


class ImageFiles(Dataset):
    """Images on disk.

    Subclasses have `ImageSettings` and a setting ``size``, find their files in `_prepare`, and end it with `_hold`.
    """

    extra: ClassVar[str | None] = "images"
    modules: ClassVar[tuple[str, ...]] = ("PIL",)

    settings: Any
    _classes: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        self.prepare()
        return self._classes

    @property
    def preprocessing(self) -> Preprocessing:
        preprocessing: Preprocessing = self.settings.preprocessing(self.settings.size)
        return preprocessing

    def _hold(self, splits: Mapping[SplitName, FileSamples], progress: Progress) -> None:
        """Store the samples of each split, and check that every file exists and looks like an image."""
        self._splits = splits
        check_images([path for samples in splits.values() for path in samples.paths], progress)

    def _split(self, name: SplitName) -> FileSamples:
        return self._splits[name]
