"""Class maps from scores: the class of the highest, as numpy's argmax has it."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.tasks.class_maps import FEW_CLASSES, decode_scores


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("classes", [2, 3, FEW_CLASSES, FEW_CLASSES + 1])
def test_few_classes_are_compared_to_the_same_map(dtype: str, axis: int, classes: int) -> None:
    # Of few values, so that many tie.
    scores = np.random.default_rng(classes).integers(-2, 3, (2, 7, 9, classes)).astype(dtype)
    expected = scores.argmax(axis=3)
    np.testing.assert_array_equal(decode_scores(np.moveaxis(scores, 3, axis), axis, 0.5), expected)


@pytest.mark.parametrize("axis", [1, 3])
def test_scores_that_are_not_finite_are_ordered_as_numpy_orders_them(axis: int) -> None:
    values = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], np.float32)
    scores = np.random.default_rng(0).choice(values, (3, 11, 13, 4))
    scores[0] = np.random.default_rng(1).choice(values[1:], scores[0].shape)
    for part in (scores, scores[:1]):
        np.testing.assert_array_equal(decode_scores(np.moveaxis(part, 3, axis), axis, 0.5), part.argmax(axis=3))
