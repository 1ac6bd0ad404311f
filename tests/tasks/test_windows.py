"""Predictions for windows become those for samples."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.errors import IncompatibleError
from edgerig.tasks.anomaly import Anomaly
from edgerig.tasks.classification import Classification
from edgerig.tasks.none import NoTask
from edgerig.tasks.windows import mean_over_windows


@pytest.mark.parametrize("task", [Anomaly(), NoTask()])
def test_the_mean_equals_a_plain_loop(task: Anomaly | NoTask) -> None:
    rng = np.random.default_rng(0)
    windows = rng.integers(1, 9, 50)
    predictions = rng.normal(size=(windows.sum(), 3)) * 1e6
    ends = np.cumsum(windows)
    expected = [predictions[end - count : end].mean(axis=0) for end, count in zip(ends, windows, strict=True)]
    np.testing.assert_allclose(task.join(predictions, windows), expected, rtol=1e-12)
    single = predictions.astype(np.float32)
    assert mean_over_windows(single, windows).dtype == np.float32


def test_a_task_of_one_inference_a_sample_says_so() -> None:
    with pytest.raises(IncompatibleError, match="'heartbeats' cuts its samples into windows, and task"):
        Classification(classes=("a", "b"), dataset="heartbeats").join(np.zeros((3, 2)), np.array([1, 2]))
