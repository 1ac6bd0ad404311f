"""Pictures that somebody hands to a page: decoded within bounds, and turned upright."""

from __future__ import annotations

import io
from typing import NamedTuple

from edgerig.datasets.images import upright_pixels
from edgerig.errors import RequestError
from edgerig.serve.video.frame import MOST_PIXELS, Pixels
from edgerig.text import cause_of

#: Formats that are taken, as Pillow calls them.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
#: Largest file, in bytes, and largest JPEG, in pixels: more than `MOST_PIXELS` of it are never decoded.
MOST_BYTES, MOST_JPEG = 48_000_000, 88_000_000


class Picture(NamedTuple):
    """RGB pixels, (height, width, 3), upright; ``taken`` is the size, width and height, that the file has."""

    pixels: Pixels
    taken: tuple[int, int]

    @property
    def reduced(self) -> bool:
        """Whether it was decoded with fewer pixels than it has."""
        return self.pixels.size < 3 * self.taken[0] * self.taken[1]


def decode_picture(data: bytes) -> Picture:
    """The picture in the file with the content ``data``.

    A JPEG of more than `MOST_PIXELS` is decoded at half, a quarter or an eighth of its sides, as its form allows
    without holding all of it. The rest is as `edgerig.datasets.images.read_image` reads files, orientation included.

    Raises:
        RequestError: It is no picture, damaged, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            _check_size(width, height, jpeg=image.format == "JPEG")
            if width * height > MOST_PIXELS:
                image.draft("RGB", _half(width, height))
            pixels = upright_pixels(image, 3)
    except RequestError:
        raise
    except UnidentifiedImageError as error:
        raise RequestError("This is no picture that can be read; JPEG, PNG, WebP, GIF and BMP can.") from error
    except Image.DecompressionBombError as error:
        raise RequestError(_too_large(MOST_JPEG)) from error
    except Exception as error:
        # Pillow's decoders have no common error.
        raise RequestError(f"The picture is damaged: {cause_of(error)}.") from error
    return Picture(pixels, (width, height))


def _check_size(width: int, height: int, *, jpeg: bool) -> None:
    most = MOST_JPEG if jpeg else MOST_PIXELS
    if not 0 < width * height <= most:
        raise RequestError(f"The picture has {width}x{height} pixels. {_too_large(most)}")


def _too_large(most: int) -> str:
    return f"At most {most:,} pixels are taken; scale it down."


def _half(width: int, height: int) -> tuple[int, int]:
    """Sides of which a JPEG's decoder may give the next larger ones, and stay within `MOST_PIXELS`."""
    factor = 2
    while width * height > MOST_PIXELS * factor**2:
        factor *= 2
    return -(-width // factor), -(-height // factor)
