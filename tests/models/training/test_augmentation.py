"""Images, masks and boxes are moved alike, exactly where that can be said, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.models.training.augmentation import OUTSIDE, Movement, moved_boxes, moved_images, moved_masks
from edgerig.tasks.box_truth import AREA, CROWD, LABEL, THERE, Frame, ImageBoxes, pack

STILL = Movement(rotation=0, scale=(1, 1), shift=0, mirror=False)
HEIGHT, WIDTH = 40, 60


def matrix(angle: float = 0.0, factor: float = 1.0, x: float = 0.0, y: float = 0.0) -> NDArray[np.float64]:
    """One matrix: turned and scaled about the centre, then shifted."""
    (base,) = STILL.draw(1, (HEIGHT, WIDTH), np.random.default_rng(0))
    turn = np.deg2rad(angle)
    linear = factor * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    base[:, :2], base[:, 2] = linear, centre + np.array([x, y]) - linear @ centre
    return base[None]


@pytest.fixture
def images() -> NDArray[np.float32]:
    return np.random.default_rng(3).random((4, HEIGHT, WIDTH, 3)).astype(np.float32)


def test_without_any_movement_nothing_changes(images: NDArray[np.float32]) -> None:
    masks = np.random.default_rng(4).integers(-1, 5, (4, HEIGHT, WIDTH)).astype(np.int32)
    matrices = STILL.draw(4, (HEIGHT, WIDTH), np.random.default_rng(0))
    np.testing.assert_array_equal(moved_images(images, matrices), images)
    np.testing.assert_array_equal(moved_masks(masks, matrices), masks)


def test_a_mirrored_image_is_exactly_that(images: NDArray[np.float32]) -> None:
    movement = Movement(rotation=0, scale=(1, 1), shift=0)
    matrices = movement.draw(4, (HEIGHT, WIDTH), np.random.default_rng(6))
    mirrored = matrices[:, 0, 0] < 0
    assert 0 < mirrored.sum() < 4
    expected = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
    np.testing.assert_allclose(moved_images(images, matrices), expected, atol=1e-6)


def test_a_shift_brings_the_border_into_the_image_and_nothing_into_the_mask(images: NDArray[np.float32]) -> None:
    moved = moved_images(images[:1], matrix(x=5, y=-3))
    np.testing.assert_allclose(moved[0, :-3, 5:], images[0, 3:, :-5], atol=1e-6)
    np.testing.assert_allclose(moved[0, :-3, :5], np.repeat(images[0, 3:, :1], 5, axis=1), atol=1e-6)
    mask = moved_masks(np.ones((1, HEIGHT, WIDTH), np.int32), matrix(x=5, y=-3))[0]
    assert (mask[:, :5] == OUTSIDE).all()
    assert (mask[-3:] == OUTSIDE).all()
    assert (mask[:-3, 5:] == 1).all()


def test_half_a_pixel_is_read_between_two(images: NDArray[np.float32]) -> None:
    moved = moved_images(images[:1], matrix(x=0.5))
    expected = (images[0, :, :-1] + images[0, :, 1:]) / 2
    np.testing.assert_allclose(moved[0, :, 1:], expected, atol=1e-6)


def test_image_and_mask_move_together_and_no_class_is_invented() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    masks = np.repeat((np.hypot(y - 18, x - 33) < 9).astype(np.int32)[None] * 4, 32, axis=0)
    matrices = Movement().draw(32, (HEIGHT, WIDTH), np.random.default_rng(5))
    images = moved_images(masks[..., None].astype(np.float32), matrices)[..., 0]
    moved = moved_masks(masks, matrices)
    assert set(np.unique(moved)) == {OUTSIDE, 0, 4}
    known = moved >= 0
    # The two differ on the disc's edge alone: of four pixels the nearest has a quarter of the weight and more.
    assert np.abs(images - moved)[known].max() <= 3.0 + 1e-5
    # The disc grows and shrinks as the scale says.
    areas = (moved == 4).sum((1, 2)) / (masks[0] == 4).sum()
    scales = np.abs(np.linalg.det(matrices[:, :, :2]))
    whole = (moved[:, [0, -1]] != 4).all((1, 2)) & (moved[:, :, [0, -1]] != 4).all((1, 2))
    assert whole.sum() > 5
    np.testing.assert_allclose(areas[whole], scales[whole], rtol=0.12)


def test_amounts_stay_within_what_was_asked_for() -> None:
    movement = Movement(rotation=15, scale=(0.5, 2), shift=0.1)
    matrices = movement.draw(4000, (HEIGHT, WIDTH), np.random.default_rng(2))
    linear = matrices[:, :, :2]
    factors = np.sqrt(np.abs(np.linalg.det(linear)))
    angles = np.rad2deg(np.arctan2(linear[:, 1, 0] * np.sign(linear[:, 0, 0]), np.abs(linear[:, 0, 0])))
    centre = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2, 1])
    shifts = np.abs(matrices @ centre - centre[:2]) / (WIDTH, HEIGHT)
    assert 0.5 <= factors.min() < 0.51
    assert 1.96 < factors.max() <= 2
    assert np.median(factors) == pytest.approx(1, abs=0.05)  # halved as often as doubled
    assert 14.8 < np.abs(angles).max() <= 15
    assert 0.099 < shifts.max() <= 0.1
    assert (linear[:, 0, 0] < 0).mean() == pytest.approx(0.5, abs=0.03)


def test_the_same_seed_moves_alike_and_another_does_not(images: NDArray[np.float32]) -> None:
    first, again, other = (
        moved_images(images, Movement().draw(4, (HEIGHT, WIDTH), np.random.default_rng([7, epoch])))
        for epoch in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


#: Of an image that is the network's input.
WHOLE = Frame(1, 1, 0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT)


def box(rows: NDArray[np.float64], frame: Frame = WHOLE) -> NDArray[np.float64]:
    return pack([frame], [ImageBoxes(rows, np.arange(len(rows)))], len(rows) + 1)


def test_a_box_moves_with_its_image() -> None:
    truth = box(np.array([[10.0, 20, 8, 6]]))
    (moved,) = moved_boxes(truth, matrix(x=5, y=-3))
    assert moved[1].tolist() == pytest.approx([15, 17, 8, 6, 0, 0, 48, 1])
    assert moved[2, THERE] == 0
    # Doubled about the centre, (30, 20) in pixels' borders.
    (moved,) = moved_boxes(truth, matrix(factor=2))
    assert moved[1, :4].tolist() == pytest.approx([0, 20, 6, 12])  # from -10 to 6, cut off at the border
    assert moved[1, AREA] == pytest.approx(72)
    quarter = moved_boxes(box(np.array([[20.0, 10, 20, 10]])), matrix(angle=90))[0]
    assert quarter[1, :4].tolist() == pytest.approx([30, 10, 10, 20])


def test_a_box_encloses_the_object_in_the_moved_image() -> None:
    image = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)
    image[0, 12:24, 20:38] = 1
    matrices = Movement().draw(24, (HEIGHT, WIDTH), np.random.default_rng(11))
    bright = moved_images(np.repeat(image, 24, axis=0), matrices)[..., 0] > 0.5
    boxes = moved_boxes(np.repeat(box(np.array([[20.0, 12, 18, 12]])), 24, axis=0), matrices)[:, 1]
    for shown, row in zip(bright, boxes, strict=True):
        y, x = np.nonzero(shown)
        left, top, wide, high = row[:4]
        assert row[THERE] == 1
        assert left - 1 <= x.min() <= left + 2
        assert top - 1 <= y.min() <= top + 2
        assert left + wide - 2 <= x.max() + 1 <= left + wide + 1
        assert top + high - 2 <= y.max() + 1 <= top + high + 1


def test_a_box_that_leaves_the_image_is_dropped_and_labels_stay() -> None:
    truth = box(np.array([[1.0, 1, 8, 8], [30.0, 20, 8, 8]]))
    truth[0, 2, CROWD] = 1
    (moved,) = moved_boxes(truth, matrix(x=-8))
    assert moved[1:, THERE].tolist() == [0, 1, 0]
    assert moved[1:3, LABEL].tolist() == [0, 1]
    assert moved[2, CROWD] == 1


def test_boxes_of_a_resized_image_move_in_the_pixels_of_the_input() -> None:
    frame = Frame(0.5, 0.5, 10, 0, WIDTH, HEIGHT, 80, 80)
    (moved,) = moved_boxes(box(np.array([[20.0, 40, 16, 12]]), frame), matrix(x=2))
    assert moved[1, :4].tolist() == pytest.approx([22, 20, 8, 6])
    assert moved[0].tolist() == [1, 1, 0, 0, WIDTH, HEIGHT, WIDTH, HEIGHT]
