"""A user's own images, each with a mask."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from edgerig import plugins
from edgerig.datasets.annotated_images import AnnotatedImages, AnnotatedImageSettings
from edgerig.datasets.base import SPLITS, SplitName
from edgerig.datasets.images import SUFFIXES
from edgerig.datasets.mask_files import MaskedFiles
from edgerig.datasets.masks import USUAL_IGNORE
from edgerig.errors import DatasetError
from edgerig.progress import Progress

Pairs = list[tuple[Path, Path]]
_CLASSES = ("background", "object")


class SegmentsSettings(AnnotatedImageSettings, frozen=True, kw_only=True):
    """Settings of ``segments``."""

    classes: Annotated[
        tuple[str, ...], msgspec.Meta(description="class names; a mask's pixel of 0 is of the first", min_length=2)
    ] = _CLASSES
    ignore: Annotated[int, msgspec.Meta(description="value of a mask's pixels that are of no class", ge=0, le=255)] = (
        USUAL_IGNORE
    )
    dictionary: Annotated[
        str,
        msgspec.Meta(
            description="class dictionary within root, or names or numbers of classes in JSON, in place of 'classes' "
            "and 'ignore'; a mask's pixels are its trainIds"
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.dictionary and (self.classes != _CLASSES or self.ignore != USUAL_IGNORE):
            raise ValueError("'dictionary' says what 'classes' and 'ignore' are: leave these out")


class Segments(AnnotatedImages):
    """Images in ``root/images``, and for each a PNG of the same name in ``root/masks`` whose values are classes.

    They are split by the hash of their names, or, where ``root`` holds folders ``train``, ``validation`` and ``test``
    with ``images`` and ``masks`` each, as these say.
    """

    name: ClassVar[str] = "segments"
    summary: ClassVar[str] = "your own images, each with a mask of classes"
    holds: ClassVar[str] = "`images` and `masks`"
    task: str = "segmentation"
    Settings: ClassVar[type[plugins.Settings]] = SegmentsSettings

    settings: SegmentsSettings

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes[0]

    @cached_property
    def _classes(self) -> tuple[tuple[str, ...], int]:
        """The names of the classes, and the value of pixels that are of none.

        Raises:
            DatasetError: The class dictionary cannot be used.
        """
        if not self.settings.dictionary:
            return self.settings.classes, self.settings.ignore
        from edgerig.datasets.labels.classes import read_classes

        mapping = read_classes(self._root() / self.settings.dictionary)
        return mapping.classes, mapping.ignore

    def _prepare(self, progress: Progress) -> None:
        root = self._root()
        folders = self._ready_made(root)
        if folders:
            self._pairs = {split: _pairs(folders[split]) if split in folders else [] for split in SPLITS}
            return
        pairs = _pairs(root)
        chosen = self._cut([image.name for image, _ in pairs])
        self._pairs = {split: [pairs[i] for i in indices] for split, indices in chosen.items()}

    def _split(self, name: SplitName) -> MaskedFiles:
        pairs, (classes, ignore) = self._pairs[name], self._classes
        images, masks = [image for image, _ in pairs], [mask for _, mask in pairs]
        return MaskedFiles(images, masks, self.settings.channels, len(classes), ignore)


def _pairs(folder: Path) -> Pairs:
    """Each image of ``folder/images`` with its mask, sorted by name.

    Raises:
        DatasetError: There are none, or one has no mask; names it.
    """
    images, masks = folder / "images", folder / "masks"
    for needed in (images, masks):
        if not needed.is_dir():
            raise DatasetError(f"There is no folder {needed}.", "Put images into `images`, their masks into `masks`.")
    paths = sorted(p for p in images.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
    if not paths:
        raise DatasetError(f"{images} holds no images.", f"Images end in {', '.join(SUFFIXES)}.")
    known = {mask.stem: mask for mask in sorted(masks.iterdir()) if not mask.name.startswith(".")}
    for path in paths:
        if path.stem not in known:
            raise DatasetError(
                f"{path} has no mask: there is no {masks / path.stem}.png.", "Add it, or remove the image."
            )
    return [(path, known[path.stem]) for path in paths]
