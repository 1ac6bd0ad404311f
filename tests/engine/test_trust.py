"""What makes a number of a whole run untrustworthy is said at the number, or the cell is refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgerig
from edgerig.artifact import TensorSpec
from edgerig.engine.rounds.host_time import HostTime
from edgerig.engine.samples.finite_outputs import FiniteOutputs
from edgerig.errors import EdgerigError, InferenceError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.results.types import CellResult
from edgerig.testing.faults import MISCLOCKED
from edgerig.testing.faults import NAME as FAULTY
from edgerig.testing.networks import dense_tflite


@pytest.fixture
def measure(tmp_path: Path):
    """Measures a network on this machine by a runtime that goes wrong as ``options`` say."""
    net = dense_tflite(tmp_path / "net.tflite", 4, 4)

    def measured(runtime: str, samples: int = 60, **options: Any) -> CellResult:
        rig = {
            "name": "t",
            "model": {"file": str(net)},
            "dataset": {"use": "random", "shape": [4], "samples": samples},
            "matrix": [{"runtimes": [{"use": runtime, **options}], "targets": ["local"]}],
            "measure": {
                "samples": samples,
                "rounds": 1,
                "seconds": 0,
                "profile": False,
                "transport_samples": 0,
                "patience": 2,
            },
        }
        return edgerig.run(rig, out=tmp_path / "out").cells[0]

    return measured


@pytest.mark.slow
def test_a_clock_that_is_too_slow_stands_at_the_number(measure) -> None:
    # What a request costs beside its inferences counts as the host's noise, in which short ones would drown under load.
    cell = measure(MISCLOCKED, 20, seconds=0.02, factor=0.25)
    assert isinstance(cell.latency.steady, Measurement)
    assert any("times too slow" in text for text in cell.latency.steady.warnings)


def test_a_clock_that_is_too_fast_ends_the_cell(measure) -> None:
    with pytest.raises(EdgerigError, match="times too fast"):
        measure(MISCLOCKED, seconds=0.004, factor=4.0)


def test_a_process_that_was_stopped_in_the_middle_is_told_and_moves_no_headline(measure) -> None:
    cell = measure(FAULTY, 200, fault="stop", after=100, seconds=0.001)
    steady, distribution = cell.latency.steady, cell.latency.distribution
    assert isinstance(steady, Measurement)
    assert any(text.startswith("1 of 200 inferences took up to ") for text in steady.warnings)
    assert distribution is not None
    assert distribution.maximum > 0.5
    assert steady.value < 0.1


def test_outputs_that_are_no_numbers_are_told_by_name_and_count(measure) -> None:
    with pytest.raises(EdgerigError, match=r"Output 'y' of the network is inf or NaN in \d+ of 60 samples"):
        measure(FAULTY, fault="nan", after=50)


def test_every_output_is_looked_at_and_integers_are_finite() -> None:
    seen = FiniteOutputs(
        [TensorSpec("a", (1, 2), "float32"), TensorSpec("b", (1, 2), "int8"), TensorSpec("c", (1,), "float16")]
    )
    seen.look([np.zeros((3, 2), np.float32), np.zeros((3, 2), np.int8), np.array([1, 2, 3], np.float16)])
    seen.check()
    seen.look([np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int8), np.array([np.inf, 2], np.float16)])
    with pytest.raises(InferenceError, match=r"Output 'c' .* 1 of 5 samples"):
        seen.check()


def test_host_time_is_a_median_and_a_pause_is_told() -> None:
    host = HostTime("reading samples")
    assert host.median() is None
    for _ in range(9):
        host.add(0.1, 100)
    assert host.pause() is None
    host.add(20.0, 100)
    assert host.median() == pytest.approx(0.001)
    assert "stood still for up to 20.0 s while reading samples" in (host.pause() or "")


def test_results_of_an_earlier_session_are_looked_at_too() -> None:
    seen = FiniteOutputs([TensorSpec("y", (1, 2), "float32")])
    with pytest.raises(InferenceError, match="Output 'y' of the network is inf or NaN in 1 of 3 samples"):
        seen.check(np.array([True, False, True]))


def test_a_reference_that_is_no_number_is_compared_with_nothing() -> None:
    from edgerig.tasks.classification import compare

    scores = np.zeros((3, 2), np.float32)
    reference = np.array([[0, 1], [np.inf, 1], [2, 3]], np.float32)
    found = compare(scores, reference, "the float model", None, 0)  # type: ignore[arg-type]
    assert isinstance(found, Unavailable)
    assert "the float model are inf or NaN in 1 of 3 samples" in found.reason
