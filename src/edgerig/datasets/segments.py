"""A user's own images, each with a mask."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import msgspec

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import SPLITS, Dataset, SplitName
from edgerig.datasets.image_settings import ImageSettings
from edgerig.datasets.images import SUFFIXES
from edgerig.datasets.mask_files import MaskedFiles
from edgerig.datasets.masks import USUAL_IGNORE
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError
from edgerig.progress import Progress

Pairs = list[tuple[Path, Path]]


class SegmentsSettings(ImageSettings, frozen=True, kw_only=True):
    """Settings of ``segments``."""

    root: Annotated[str, msgspec.Meta(description="folder with the folders `images` and `masks`")]
    classes: Annotated[
        tuple[str, ...], msgspec.Meta(description="class names; a mask's pixel of 0 is of the first", min_length=2)
    ] = ("background", "object")
    ignore: Annotated[int, msgspec.Meta(description="value of a mask's pixels that are of no class", ge=0, le=255)] = (
        USUAL_IGNORE
    )
    size: Annotated[int, msgspec.Meta(description="height and width to resize to, in pixels", ge=1)] = 128
    channels: Annotated[Literal[1, 3], msgspec.Meta(description="1 for grey, 3 for RGB")] = 3
    validation: Annotated[float, msgspec.Meta(description="share of the images to validate with", ge=0, lt=1)] = 0.1
    test: Annotated[float, msgspec.Meta(description="share of the images to test with", gt=0, lt=1)] = 0.2


class Segments(Dataset):
    """Images in ``root/images``, and for each a PNG of the same name in ``root/masks`` whose values are classes.

    They are split by the hash of their names, or, where ``root`` holds folders ``train``, ``validation`` and ``test``
    with ``images`` and ``masks`` each, as these say.
    """

    name: ClassVar[str] = "segments"
    summary: ClassVar[str] = "your own images, each with a mask of classes"
    extra: ClassVar[str | None] = "images"
    modules: ClassVar[tuple[str, ...]] = ("PIL",)
    task: str = "segmentation"
    Settings: ClassVar[type[plugins.Settings]] = SegmentsSettings

    settings: SegmentsSettings

    @property
    def classes(self) -> tuple[str, ...]:
        return self.settings.classes

    @property
    def preprocessing(self) -> Preprocessing:
        return self.settings.preprocessing(self.settings.size)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (self.settings.size, self.settings.size, self.settings.channels)

    def _prepare(self, progress: Progress) -> None:
        root = Path(self.settings.root).expanduser()
        if not root.is_dir():
            raise DatasetError(f"There is no folder {root}.", "Give the folder that holds `images` and `masks`.")
        ready: dict[SplitName, Pairs] = {split: _pairs(root / split) for split in SPLITS if (root / split).is_dir()}
        if "train" in ready and "test" in ready:
            self._pairs = {split: ready.get(split, []) for split in SPLITS}
            return
        pairs = _pairs(root)
        if len(pairs) < 3:
            raise DatasetError(f"{root} holds {len(pairs)} images, too few to train, validate and test.")
        chosen = split_by_name([image.name for image, _ in pairs], [self.settings.test, self.settings.validation])
        names: tuple[SplitName, ...] = ("train", "test", "validation")
        self._pairs = {split: [pairs[i] for i in indices] for split, indices in zip(names, chosen, strict=True)}

    def _split(self, name: SplitName) -> MaskedFiles:
        pairs, settings = self._pairs[name], self.settings
        images, masks = [image for image, _ in pairs], [mask for _, mask in pairs]
        return MaskedFiles(images, masks, settings.channels, len(settings.classes), settings.ignore)


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
