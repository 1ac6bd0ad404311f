"""Pictures of class maps: image, mask, class map and difference, each pixel of the right colour."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest

from edgerig.datasets.masks import MaskedSamples
from edgerig.tasks.map_views import COLOURS, GAP, IMAGES, OVERLAY, SHOWN, UNJUDGED, WRONG, map_gallery, small_copies
from edgerig.tasks.metrics.segmentation import pixel_counts

CLASSES = ("ground", "cell")


def gallery_of(images, masks, maps):
    samples = MaskedSamples(images, masks.astype(np.int16))
    return map_gallery(small_copies(masks, maps), pixel_counts(masks, maps, 2), CLASSES, samples)


def panels(item):
    """The four pictures of an item, (4, SHOWN, SHOWN, 3)."""
    image = pytest.importorskip("PIL.Image")
    pixels = np.asarray(image.open(io.BytesIO(base64.b64decode(item.picture))).convert("RGB"))
    assert pixels.shape == (2 * SHOWN + GAP, 2 * SHOWN + GAP, 3)
    starts = (0, SHOWN + GAP)
    return [pixels[top : top + SHOWN, left : left + SHOWN] for top in starts for left in starts]


@pytest.fixture
def one():
    """A grey image of 4 x 4: the left half is cell, the network says so of the top half; the last pixel is ignored."""
    mask = np.zeros((1, 4, 4), np.int64)
    mask[0, :, :2] = 1
    mask[0, 3, 3] = -1
    answer = np.zeros((1, 4, 4), np.uint8)
    answer[0, :2] = 1
    return gallery_of(np.full((1, 4, 4, 1), 96, np.uint8), mask, answer)


def test_each_pixel_has_the_colour_of_what_it_is(one):
    image, mask, answer, difference = panels(one.items[0])
    pixel, far = SHOWN // 8, SHOWN - SHOWN // 8  # within the first and the last of four rows and columns
    cell = ((1 - OVERLAY) * 96 + OVERLAY * COLOURS[0]).astype(np.uint8).tolist()
    plain, dark = [96] * 3, [48] * 3
    assert image[pixel, pixel].tolist() == image[far, far].tolist() == plain
    assert [mask[pixel, pixel].tolist(), mask[pixel, far].tolist()] == [cell, plain]
    assert [answer[pixel, far].tolist(), answer[far, pixel].tolist()] == [cell, plain]
    assert [difference[pixel, pixel].tolist(), difference[pixel, far].tolist()] == [dark, WRONG.tolist()]
    assert mask[far, far].tolist() == difference[far, far].tolist() == UNJUDGED.tolist()


def test_the_texts_are_of_all_judged_pixels(one):
    (item,) = one.items
    # 4 of 8 + 7 pixels are cell for both, 3 ground for both: IoU 4 / 12 and 3 / 11, accuracy 7 / 15.
    assert item.texts == (
        f"{(4 / 12 + 3 / 11) / 2:.3f}",
        f"{7 / 15:.1%}",
        "cell 53%, ground 47%",
        "cell 53%, ground 47%",
    )


def test_the_worst_images_come_first_and_those_without_a_judged_pixel_not_at_all():
    count = IMAGES + 4
    masks = np.zeros((count, 16, 16), np.int64)
    masks[:, :8] = 1
    masks[0] = -1
    maps = np.maximum(masks, 0).astype(np.uint8)
    for index in range(1, count):
        maps[index, :8, :index] = 0
    gallery = gallery_of(np.zeros((count, 16, 16, 3), np.uint8), masks, maps)
    assert (len(gallery.items), gallery.total) == (IMAGES, count - 1)
    overlaps = [float(item.texts[0]) for item in gallery.items]
    assert overlaps == sorted(overlaps)
    assert gallery.items[0].texts[3].startswith(f"ground {(128 + 8 * (count - 1)) / 256:.0%}")


def test_samples_that_are_no_images_have_texts_alone():
    masks = np.ones((1, 4, 4), np.int64)
    gallery = gallery_of(np.zeros((1, 4, 4, 5), np.float32), masks, masks.astype(np.uint8))
    assert gallery.items[0].picture is None
