"""Read image files with Pillow."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.datasets.samples import FileSamples
from edgerig.errors import DatasetError
from edgerig.progress import Progress

#: Files with other suffixes are no images.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

#: The EXIF tag of an image's orientation, and its values that swap height and width.
ORIENTATION, QUARTER_TURNS = 0x0112, (5, 6, 7, 8)

#: TIFF's SampleFormat of integers with a sign. Pictures of 16 bits that stay below this of 255 have 14 bits or fewer.
SIGNED, DARK = 2, 64


def read_image(path: Path, channels: int) -> NDArray[np.uint8]:
    """The pixels of an image file, rotated by its EXIF orientation.

    Colour is converted to grey and grey to colour to match ``channels``; transparency is dropped; of 16 bits the upper
    8 are kept, of 9 to 15 in a TIFF file that says so the upper 8 of these; of an animation the first picture is used.
    CMYK becomes RGB without a colour profile.

    Args:
        path: The file.
        channels: 1 for grey, 3 for RGB.

    Returns:
        Shape (H, W, channels), uint8.

    Raises:
        DatasetError: The file cannot be read, or is no image, or is corrupt or truncated; names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return upright_pixels(image, channels)
    except _failures() as error:
        raise unusable(path, error) from error


def upright_pixels(image: Any, channels: int) -> NDArray[np.uint8]:
    """The pixels of an image that Pillow has opened, as `read_image` gives them.

    Raises:
        ValueError: Its values have no known range, so that nothing says how bright they are.
    """
    from PIL import Image, ImageOps

    wide = image.mode == "I" and image.format not in ("PNG", "PPM")
    if image.mode == "F" or wide:
        values = "32-bit integers" if wide else "real numbers"
        raise ValueError(f"its pixels are {values}, whose black and white are not known; store 8 or 16 bits")
    bits, inverted = _depth_of_tiff(image) if image.format == "TIFF" else (16, False)
    upright: Any = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        wide = np.clip(np.asarray(upright, np.int64) >> (bits - 8), 0, 255)
        upright = Image.fromarray((255 - wide if inverted else wide).astype(np.uint8))
    pixels = np.asarray(upright.convert("L" if channels == 1 else "RGB"), np.uint8)
    return pixels.reshape(*pixels.shape[:2], channels)


def _depth_of_tiff(image: Any) -> tuple[int, bool]:
    """Bits of a value of a TIFF file's that Pillow reads as 16 bits, and whether 0 is white there: by its tags
    BitsPerSample or MaxSampleValue, and PhotometricInterpretation (TIFF 6.0, section 8).

    Raises:
        ValueError: Its values have a sign.
    """
    bits, kinds = image.tag_v2.get(258, (1,))[0], image.tag_v2.get(339, (1,))
    if SIGNED in kinds:
        raise ValueError("its pixels have a sign, so that their black and white are not known; store unsigned ones")
    most = image.tag_v2.get(281, (0,))
    greatest = most[0] if isinstance(most, tuple) else most
    if 8 < bits <= 16 and greatest > 255:
        bits = min(bits, int(greatest).bit_length())
    return max(bits, 8), image.tag_v2.get(262) == 0


def dark_pictures(paths: Sequence[Path]) -> str | None:
    """A sentence where image files of 16 bits hold values of fewer, as cameras of 12 bits give them: whose upper 8 bits
    are almost black. None where they do not, or where one cannot be read.

    Args:
        paths: Some files of a dataset.
    """
    from PIL import Image

    brightest = 0
    try:
        for path in paths:
            with Image.open(path) as image:
                stored = [str(tile[3]) for tile in image.tile]
                if not any(";16" in form for form in stored):
                    return None
                brightest = max(brightest, int(upright_pixels(image, 3).max()))
    except _failures():
        return None
    if not paths or brightest >= DARK:
        return None
    return (
        f"The pictures are stored in 16 bits, and in {len(paths)} of them no pixel is brighter than {brightest} of "
        f"255: their values have {8 + brightest.bit_length()} bits, and the network sees them almost black. Store "
        "values that reach 65,535, or pictures of 8 bits."
    )


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file as `read_image` gives it; cheap, decodes nothing.

    Raises:
        DatasetError: The file cannot be read, or is no image; names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(ORIENTATION, 1) in QUARTER_TURNS
    except _failures() as error:
        raise unusable(path, error) from error
    return (width, height) if turned else (height, width)


def image_orientation(path: Path) -> int:
    """The EXIF orientation of an image file, 1 to 8; 1, as it is seen, where it has none.

    Raises:
        DatasetError: The file cannot be read, or is no image; names it.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(ORIENTATION, 1)
    except _failures() as error:
        raise unusable(path, error) from error
    return orientation if orientation in range(1, 9) else 1


def check_images(paths: list[Path], progress: Progress) -> None:
    """Check that each file begins like an image; cheap, decodes nothing.

    Raises:
        DatasetError: One does not; names it.
    """
    from PIL import Image

    with progress.task("checking images", len(paths)) as task:
        for path in paths:
            try:
                with Image.open(path):
                    pass
            except _failures() as error:
                raise unusable(path, error) from error
            task.advance()


def image_samples(paths: list[Path], labels: ArrayLike, channels: int) -> FileSamples:
    """Samples of image files, read on access."""
    return FileSamples(paths, labels, partial(read_image, channels=channels), f"image, {channels} channels")


def _failures() -> tuple[type[Exception], ...]:
    from PIL import Image

    # The errors of Pillow's decoders on bad files; they have no common base.
    return (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def unusable(path: Path, error: Exception) -> DatasetError:
    """What is wrong with an image file, out of what Pillow raised."""
    if isinstance(error, OSError) and error.errno is not None:
        return DatasetError(f"Cannot read {path}: {error.strerror}.")
    reason = "no image that Pillow knows" if type(error).__name__ == "UnidentifiedImageError" else str(error)
    return DatasetError(f"{path} is not a usable image: {reason}.", "Remove the file, or put a good copy in its place.")
