"""A picture as the page shows it: upright, in a format that browsers know."""

from __future__ import annotations

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.images import ORIENTATION, upright_pixels
from edgerig.errors import DatasetError
from edgerig.text import cause_of

#: What browsers show as it is, by Pillow's name of the format.
SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif", "BMP": "image/bmp"}
#: Pillow's modes of pixels that every browser shows alike.
_PLAIN = ("1", "L", "P", "RGB")
#: Quality of a JPEG that had to be turned.
QUALITY = 95
#: Largest picture, in pixels.
MOST_PIXELS = 120_000_000


class Picture(NamedTuple):
    """A picture as it is sent to pages, and its size in pixels.

    Its own file where browsers show the same pixels that networks get; else a file of these pixels: turned, without
    transparency, and one picture of an animation.
    """

    data: bytes
    type: str
    width: int
    height: int


def picture_of(data: bytes, name: str) -> Picture:
    """A picture to show, out of a file that Pillow decodes whole.

    Raises:
        DatasetError: It does not; names it.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image.size, name)
            kind = image.format or ""
            upright = image.getexif().get(ORIENTATION, 1) == 1
            as_is = image.mode in _PLAIN and "transparency" not in image.info and getattr(image, "n_frames", 1) == 1
            pixels = upright_pixels(image, 3)
    except DatasetError:
        raise
    except Exception as error:
        # Pillow's decoders have no common error.
        raise _unusable(name, error) from error
    height, width = pixels.shape[:2]
    if upright and as_is and kind in SHOWN:
        return Picture(data, SHOWN[kind], width, height)
    buffer = io.BytesIO()
    encoded = "JPEG" if kind == "JPEG" else "PNG"
    Image.fromarray(pixels).save(buffer, encoded, quality=QUALITY)
    return Picture(buffer.getvalue(), SHOWN[encoded], width, height)


def pixels_of(data: bytes, name: str) -> NDArray[np.uint8]:
    """The upright pixels of a picture in RGB, (height, width, 3).

    Raises:
        DatasetError: It does not decode.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image.size, name)
            return upright_pixels(image, 3)
    except DatasetError:
        raise
    except Exception as error:
        raise _unusable(name, error) from error


def _check_size(size: tuple[int, int], name: str) -> None:
    if size[0] * size[1] > MOST_PIXELS:
        raise DatasetError(f"{name} has {size[0]} x {size[1]} pixels; at most {MOST_PIXELS:,} are shown.")


def _unusable(name: str, error: Exception) -> DatasetError:
    unknown = type(error).__name__ == "UnidentifiedImageError"
    return DatasetError(f"{name} is no usable image: {'no format that Pillow knows' if unknown else cause_of(error)}.")
