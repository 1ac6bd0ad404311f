"""Engines that change their answer from run to run are told, with how far the answers lie apart."""

from pathlib import Path

import numpy as np
import pytest

import edgerig
from edgerig.engine.rounds.repeatability import spread_of
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite


@pytest.mark.parametrize(("fault", "told"), [("waver", True), ("none", False)])
def test_engine_that_wavers_is_told_with_the_spread(tmp_path: Path, fault: str, told: bool) -> None:
    rig = {
        "name": "t",
        "model": {"file": str(dense_tflite(tmp_path / "net.tflite", 4, 4))},
        "dataset": {"use": "random", "shape": [4], "samples": 20},
        "matrix": [{"runtimes": [{"use": FAULTY, "fault": fault}]}],
        "measure": {"rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    texts = [text for text in cell.warnings if "changes its answer from run to run" in text]
    assert bool(texts) == told
    # Each inference adds one more to the input, which is doubled: the first and the last of three runs of four
    # samples lie eight inferences apart.
    assert not told or "outputs up to 16 apart" in texts[0]


def test_same_outputs_have_no_spread() -> None:
    same = [np.array([1.0, np.nan, np.inf]), np.array([2, 3], np.int8)]
    assert spread_of([same, same, same]) is None


def test_spread_is_the_largest_of_any_output_relative_to_its_range() -> None:
    first = [np.array([0.0, 4.0]), np.array([0.0, 100.0])]
    second = [np.array([0.0, 4.5]), np.array([5.0, 100.0])]
    assert spread_of([first, second]) == (5.0, 0.05)


def test_outputs_that_change_their_shape_lie_as_far_apart_as_their_range() -> None:
    assert spread_of([[np.array([0.0, 4.0])], [np.array([0.0])]]) == (4.0, 1.0)


def test_outputs_that_become_no_numbers_are_unlike() -> None:
    largest, share = spread_of([[np.array([0.0, 4.0])], [np.array([0.0, np.nan])]]) or (0, 0)
    assert (largest, share) == (4.0, 1.0)
