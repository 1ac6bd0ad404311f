"""Calibration samples are in memory all at once, and so bounded."""

from __future__ import annotations

import pytest

from edgerig import plugins
from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.compilers import calibration
from edgerig.compilers.calibration import calibration_inputs
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError


def test_more_samples_than_memory_is_meant_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = plugins.make("dataset", "random", Dataset, {"shape": [1000], "samples": 50})
    spec = TensorSpec("x", (1, 1000), "float32")
    monkeypatch.setattr(calibration, "MOST_BYTES", 20 * 4000)
    (calls,) = calibration_inputs(dataset, Preprocessing(), (spec,), 20)
    assert calls.shape == (20, 1, 1000)
    with pytest.raises(IncompatibleError, match="50 calibration samples") as caught:
        calibration_inputs(dataset, Preprocessing(), (spec,), 200)
    assert "calibration_samples=20" in str(caught.value.hint)
