"""Images stretched, letterboxed, cropped and centred; boxes and masks that move with them; standardizing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from edgerig.artifact import Fit, Preprocessing
from edgerig.datasets.boxes import BoxedSamples
from edgerig.datasets.masks import IGNORED, MaskedSamples
from edgerig.datasets.preprocess import apply, standardized
from edgerig.tasks.box_truth import ImageBoxes, to_image, to_input

FITS: tuple[Fit, ...] = ("stretch", "letterbox", "crop", "center")
SIZES = ((20, 30), (60, 40), (64, 64), (35, 90))
#: A bright rectangle of 40 x 60 pixels: left, top, width, height.
BOX = [15.0, 10.0, 30.0, 20.0]


def rectangle() -> NDArray[np.float32]:
    image = np.zeros((1, 40, 60, 1), np.float32)
    image[0, 10:30, 15:45] = 1
    return image


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
def test_boxes_move_with_the_image_and_back(fit: Fit, size: tuple[int, int]) -> None:
    samples = BoxedSamples(rectangle(), [ImageBoxes(np.array([BOX]), np.array([0]))])
    preprocessing = Preprocessing(resize=size, fit=fit)
    image = samples.inputs(slice(0, 1), preprocessing)[0, ..., 0]
    assert image.shape == size
    truth = samples.truth(slice(0, 1), preprocessing)
    left, top, width, height = to_input(truth[:, 1:, :4], truth[:, 0])[0, 0]
    # What is bright in the input lies within the moved box, up to a pixel of blur, and fills it.
    rows, columns = np.mgrid[: size[0], : size[1]]
    inside = (rows >= top + 1) & (rows < top + height - 1) & (columns >= left + 1) & (columns < left + width - 1)
    outside = (rows < top - 1) | (rows >= top + height + 1) | (columns < left - 1) | (columns >= left + width + 1)
    assert image[inside].min(initial=1) > 0.9
    assert image[outside].max(initial=0) < 0.1
    moved = np.array([[[left, top, width, height]]])
    np.testing.assert_allclose(to_image(moved, truth[:, 0], relative=False)[0, 0], BOX, atol=1e-9)
    shares = moved / np.tile(np.array(size[::-1]), 2)
    np.testing.assert_allclose(to_image(shares, truth[:, 0], relative=True)[0, 0], BOX, atol=1e-9)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", SIZES)
def test_masks_move_with_the_image(fit: Fit, size: tuple[int, int]) -> None:
    samples = MaskedSamples(rectangle(), rectangle()[..., 0].astype(np.int16))
    preprocessing = Preprocessing(resize=size, fit=fit, fill=7.0)
    image, mask = samples.inputs(slice(0, 1), preprocessing)[..., 0], samples.truth(slice(0, 1), preprocessing)
    assert mask.shape == (1, *size)
    np.testing.assert_array_equal(mask == IGNORED, image == 7)
    clear = np.abs(image - 0.5) < 0.51
    clear &= np.abs(image - 0.5) > 0.4
    np.testing.assert_array_equal(mask[clear] == 1, image[clear] > 0.5)


def test_a_letterbox_is_that_of_pillow() -> None:
    image = np.random.default_rng(0).random((30, 50, 1), np.float32)
    preprocessing = Preprocessing(resize=(40, 40), fit="letterbox", fill=0.25)
    expected = ImageOps.pad(Image.fromarray(image[..., 0]), (40, 40), Image.Resampling.BILINEAR, color=0.25)
    np.testing.assert_allclose(apply([image], preprocessing)[0, ..., 0], np.asarray(expected), atol=1e-5)


def test_a_crop_is_the_middle() -> None:
    image = np.arange(4 * 8, dtype=np.float32).reshape(4, 8, 1)
    cropped = apply([image], Preprocessing(resize=(4, 4), fit="crop"))
    np.testing.assert_array_equal(cropped[0], image[:, 2:6])
    smaller = apply([image], Preprocessing(resize=(2, 10), fit="center", fill=-1.0))
    np.testing.assert_array_equal(smaller[0, :, 1:9], image[1:3])
    assert (smaller[0, :, [0, 9]] == -1).all()


def test_images_of_several_sizes_come_to_one() -> None:
    images: list[Any] = [np.ones((h, w, 3), np.uint8) for h, w in ((10, 20), (33, 7), (64, 64))]
    for fit in FITS:
        assert apply(images, Preprocessing(resize=(24, 32), fit=fit)).shape == (3, 24, 32, 3)


def test_fill_is_a_raw_value() -> None:
    image = np.full((4, 8, 1), 255, np.uint8)
    out = apply([image], Preprocessing(scale=1 / 255, mean=(0.5,), resize=(8, 8), fit="letterbox", fill=114.0))
    np.testing.assert_allclose(out[0, 0], 114 / 255 - 0.5, atol=1e-6)
    np.testing.assert_allclose(out[0, 4], 0.5, atol=1e-6)


def test_standardizing_is_by_sample() -> None:
    x = np.random.default_rng(1).normal(3, 5, (4, 6, 5, 3)).astype(np.float32)
    x[2] = 9.0
    out = apply(x, Preprocessing(scale=0.1, standardize=True))
    for index in (0, 1, 3):
        sample = x[index].astype(np.float64) * 0.1
        np.testing.assert_allclose(out[index], (sample - sample.mean()) / sample.std(), atol=1e-5)
    np.testing.assert_allclose(out[2], 0, atol=1e-6)
    # A nearly uniform sample is divided by 1 / sqrt(values) at least.
    flat = np.zeros((1, 100), np.float32)
    flat[0, 0] = 0.01
    assert standardized(flat)[0, 0] == pytest.approx((0.01 - 0.0001) * 10, rel=1e-6)


def test_declarations_that_use_none_of_it_are_the_same_as_before() -> None:
    """A training goes on from checkpoints that were written when there was none of it."""
    assert Preprocessing().hash == "792c8e612f68a7e8"
    assert Preprocessing(scale=1 / 255, mean=(0.1,), resize=(96, 128)).hash == "eaffd72b9bfae1c8"
    usual = Preprocessing(resize=(8, 8))
    others = [
        Preprocessing(resize=(8, 8), fit="crop"),
        Preprocessing(resize=(8, 8), fill=1.0),
        Preprocessing(resize=(8, 8), standardize=True),
    ]
    assert len({usual.hash, *(other.hash for other in others)}) == 4
