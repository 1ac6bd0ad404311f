"""Pictures as the page gets them: with the pixels that networks get."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edgerig.serve.labels.pictures import picture_of, pixels_of

RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def palette_with_a_hole() -> bytes:
    image = Image.new("P", (4, 3))
    image.putpalette([*RED, *BLUE])
    return encoded(image, "PNG", transparency=0)


UNUSUAL = {
    "an animation": encoded(
        Image.new("RGB", (4, 3), RED), "GIF", save_all=True, append_images=[Image.new("RGB", (4, 3), BLUE)]
    ),
    "transparent pixels": encoded(Image.new("RGBA", (4, 3), (*RED, 0)), "PNG"),
    "a transparent colour": palette_with_a_hole(),
    "16 bits": encoded(Image.fromarray(np.full((3, 4), 0x8000, np.uint16)), "PNG"),
    "CMYK": encoded(Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "JPEG", quality=100),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_browsers_would_show_otherwise_is_sent_as_its_pixels(what: str) -> None:
    sent = picture_of(UNUSUAL[what], "x")
    with Image.open(io.BytesIO(sent.data)) as image:
        assert (image.mode, getattr(image, "n_frames", 1), image.size) == ("RGB", 1, (4, 3))
        difference = np.asarray(image, int) - pixels_of(UNUSUAL[what], "x")
    assert np.abs(difference).max() <= (3 if what == "CMYK" else 0)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_usual_pictures_are_sent_as_they_are(kind: str) -> None:
    data = encoded(Image.new("RGB", (4, 3), RED), kind)
    assert picture_of(data, "x").data == data
