"""Outputs by position and by name."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.artifact import TensorSpec
from edgerig.errors import IncompatibleError
from edgerig.tasks.tensors import NamedArrays, spec_named

BOXES, SCORES = np.zeros((3, 2, 4)), np.ones((3, 2))


def test_arrays_are_had_by_position_and_by_name() -> None:
    outputs = NamedArrays([BOXES, SCORES], ["boxes", "scores"])
    assert len(outputs) == 2
    assert outputs["boxes"] is outputs[0] is outputs[-2] is BOXES
    assert [array.shape for array in outputs] == [(3, 2, 4), (3, 2)]
    assert outputs[1:] == [SCORES]


def test_a_name_or_position_that_there_is_not() -> None:
    outputs = NamedArrays([BOXES, SCORES], ["boxes", "scores"])
    with pytest.raises(IncompatibleError, match="no output 'classes'; it has 'boxes', 'scores'"):
        outputs["classes"]
    with pytest.raises(IndexError):
        outputs[2]
    specs = [TensorSpec("boxes", (1, 2, 4), "float32")]
    assert spec_named(specs, "boxes") is specs[0]
    with pytest.raises(IncompatibleError, match="no output 'scores'"):
        spec_named(specs, "scores")
