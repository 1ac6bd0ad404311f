"""Labels are turned as Pillow turns the picture by its EXIF orientation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgerig.datasets.labels import masks, runs
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.datasets.labels.turning import turned


@pytest.mark.parametrize("orientation", range(2, 9))
def test_masks_polygons_and_boxes_are_turned_as_the_picture_is(orientation: int, tmp_path: Path) -> None:
    pixels = np.zeros((6, 9), bool)
    pixels[1:3, 2:7] = pixels[3:5, 2:4] = True
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels.astype(np.uint8) * 255).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image)) > 0

    outline = Polygon((2, 1, 7, 1, 7, 3, 4, 3, 4, 5, 2, 5))
    mask = Shape(category="cat", runs=tuple(runs.encode(pixels).tolist()), box=Box(2, 1, 5, 4))
    labels = ImageLabels(width=9, height=6, shapes=(mask, Shape(category="cat", polygons=(outline,))))
    seen = turned(labels, orientation)
    assert (seen.height, seen.width) == expected.shape
    bounds = runs.bounds(runs.encode(expected), seen.height)
    assert bounds is not None
    assert seen.shapes[0].box == Box(*map(float, bounds))
    for shape in seen.shapes:
        np.testing.assert_array_equal(masks.shape_mask(shape, seen.height, seen.width), expected)
