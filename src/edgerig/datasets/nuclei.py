"""Nuclei of cells under a microscope: one picture of 512 x 512 pixels, every nucleus annotated."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.masks import IGNORED, MaskedSamples
from edgerig.datasets.sources import Source, fetch_all
from edgerig.errors import DatasetError
from edgerig.progress import Progress

PACKAGE = "pypi:stardist==0.9.2!stardist/data/images/"
FILES = {
    "img2d.tif": "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
    "mask2d.tif": "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
}
CLASSES = ("background", "nucleus")
#: Height and width of the picture and of a tile, and the step between tiles for training, in pixels.
SIDE, TILE, STEP = 512, 128, 16
#: The first column of validation and of test; between training's last and test's first no nucleus lies in both.
VALIDATION, TEST = 352, 384
#: Mean and standard deviation of the training columns, of pixels scaled by 1/255.
MEAN, STD = 0.1295, 0.0979


class Nuclei(Dataset):
    """Fluorescent nuclei in tiles of 128 x 128, fetched in a wheel through pip once (3 MB).

    Training tiles overlap, within columns 0 to 351. Test tiles lie side by side in columns 384 to 511. Those for
    validation end at column 383; what of them lies in the training columns is ignored.
    """

    name: ClassVar[str] = "nuclei"
    summary: ClassVar[str] = "125 nuclei under a microscope, masks in tiles of 128x128; fetched through pip (3 MB)"
    extra: ClassVar[str | None] = "images"
    modules: ClassVar[tuple[str, ...]] = ("PIL",)
    task = "segmentation"

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return (TILE, TILE, 1)

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing(scale=1 / 255, mean=(MEAN,), std=(STD,))

    def _prepare(self, progress: Progress) -> None:
        picture, nuclei = (
            _pixels(path)
            for path in fetch_all([Source(PACKAGE + name, sha256) for name, sha256 in FILES.items()], progress)
        )
        masks = (nuclei > 0).astype(np.int16)
        judged = np.where(np.arange(SIDE) >= VALIDATION, masks, np.int16(IGNORED))
        rows = range(0, SIDE, TILE)
        steps = range(0, SIDE - TILE + 1, STEP)
        self._splits: dict[SplitName, MaskedSamples] = {
            "train": _tiles(picture, masks, steps, range(0, VALIDATION - TILE + 1, STEP)),
            "validation": _tiles(picture, judged, rows, [TEST - TILE]),
            "test": _tiles(picture, masks, rows, range(TEST, SIDE, TILE)),
        }

    def _split(self, name: SplitName) -> MaskedSamples:
        return self._splits[name]


def _pixels(path: Path) -> NDArray[np.uint8]:
    """The pixels of a picture in 16 bits, of which it uses 8, shape (512, 512)."""
    from PIL import Image

    with Image.open(path) as image:
        pixels = np.asarray(image)
    if pixels.shape != (SIDE, SIDE) or pixels.max() > np.iinfo(np.uint8).max:
        raise DatasetError(f"{path} is not the picture expected: {list(pixels.shape)}, up to {pixels.max()}.")
    return pixels.astype(np.uint8)


def _tiles(
    picture: NDArray[np.uint8], masks: NDArray[np.int16], rows: range, columns: range | list[int]
) -> MaskedSamples:
    corners = [(slice(y, y + TILE), slice(x, x + TILE)) for y in rows for x in columns]
    return MaskedSamples(
        np.stack([picture[corner] for corner in corners])[..., None], np.stack([masks[corner] for corner in corners])
    )
