"""Frames of a visitor's own camera: JPEG pictures that the page sends over a WebSocket."""

from __future__ import annotations

import io

import numpy as np

from edgerig.errors import SourceError
from edgerig.serve.video.frame import Pixels, as_pixels, check_size
from edgerig.text import cause_of

#: The address that stands for the visitors' cameras.
ADDRESS = "browser"
#: Largest picture, in bytes.
MOST_BYTES = 4_000_000


def pixels_of(data: bytes) -> Pixels:
    """The pixels of a JPEG that a page sent.

    Raises:
        SourceError: It is too large, or no JPEG.
    """
    from PIL import Image, UnidentifiedImageError

    if len(data) > MOST_BYTES:
        raise SourceError(f"A picture of {len(data):,} B was sent; at most {MOST_BYTES:,} B are taken.")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            check_size(*image.size, "The page's camera")
            return as_pixels(np.asarray(image.convert("RGB")))
    except SourceError:
        raise
    except UnidentifiedImageError as error:
        # Its text is the address of a Python object.
        raise SourceError("What was sent is no JPEG.") from error
    except Exception as error:
        # Pillow's decoders have no common error.
        raise SourceError(f"What was sent is no JPEG: {cause_of(error)}.") from error
