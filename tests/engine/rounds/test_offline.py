"""The scenario offline: batches taken at once, or as inferences in turn; every number is of what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.agents import serving

import edgerig
from edgerig.agent.address import Address
from edgerig.agent.server import Agent
from edgerig.engine.rounds import figures
from edgerig.engine.rounds.figures import batch_times
from edgerig.errors import EdgerigError, IncompatibleError, SpecError
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.bundle import Bundle
from edgerig.results.remarks import remarks
from edgerig.results.scenario import BatchAgreement, Offline
from edgerig.results.types import CellResult
from edgerig.testing.networks import dense_tflite, dense_tflite_int8, dense_weights
from edgerig.testing.networks.onnx_networks import colour_images, torch_like_onnx

SIZE, SAMPLES = (5, 7), 61
QUICK: dict[str, Any] = {
    "samples": None, "warmup": 1, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Samples of 8 numbers, and what class the dense network says they are."""
    x = np.random.default_rng(0).normal(size=(SAMPLES, 8)).astype(np.float32)
    weights, bias = dense_weights(8, 4)
    return npz(tmp_path_factory.mktemp("vectors") / "d.npz", x, (x @ weights.T + bias).argmax(1))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return npz(tmp_path_factory.mktemp("colours") / "colours.npz", *colour_images(30, SIZE))


def npz(path: Path, x: Any, y: Any) -> Path:
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    return path


def rig(net: Path, data: Path, runtime: str, **measure: Any) -> dict[str, Any]:
    return {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": {"use": "npz", "file": str(data)},
        "matrix": [{"runtimes": [runtime]}],
        "measure": {**QUICK, **measure},
    }


def offline(net: Path, data: Path, out: Path, runtime: str = "litert", **measure: Any) -> tuple[CellResult, Offline]:
    (cell,) = edgerig.run(rig(net, data, runtime, scenario="offline", **measure), out=out).cells
    assert isinstance(cell.offline, Offline)
    return cell, cell.offline


def value(quantity: Quantity | Any) -> float:
    assert isinstance(quantity, Measurement)
    return quantity.value


def check_figures(cell: CellResult, result: Offline, times_ns: Any) -> None:
    """Throughput, time a batch and time a sample are of one another, and of the raw times."""
    per_batch = value(result.per_batch)
    whole = len(times_ns) // result.inferences * result.inferences
    sums = np.asarray(times_ns)[:whole].reshape(-1, result.inferences).sum(axis=1)
    assert per_batch == pytest.approx(np.median(sums) * 1e-9)
    assert value(result.throughput) * per_batch == pytest.approx(result.batch)
    assert value(result.per_sample) == pytest.approx(per_batch / result.batch)
    assert cell.batch * result.inferences == result.batch


@pytest.mark.slow
def test_a_tflite_network_takes_a_batch_at_once(vectors: Path, tmp_path: Path) -> None:
    net = dense_tflite(tmp_path / "net.tflite")
    cell, result = offline(net, vectors, tmp_path / "out", batch=8)
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    assert (cell.batch, result.inferences, result.in_turn) == (8, 1, None)
    assert len(arrays["times_ns"]) == -(-SAMPLES // 8), "one time a batch"
    assert (len(arrays["scores"]), cell.quality.samples, cell.quality.metrics[0].value) == (SAMPLES, SAMPLES, 1.0)
    check_figures(cell, result, arrays["times_ns"])
    assert result.per_batch == cell.latency.steady
    assert cell.artifact.inputs[0].shape == (1, 8), "the file is what it was"
    assert cell.options == {"batch": 8}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float", "int8"])
def test_a_batch_predicts_what_single_samples_do(kind: str, vectors: Path, tmp_path: Path) -> None:
    make = dense_tflite if kind == "float" else dense_tflite_int8
    net = make(tmp_path / "net.tflite")
    (single,) = edgerig.run(rig(net, vectors, "litert"), out=tmp_path / "single").cells
    cell, result = offline(net, vectors, tmp_path / "batch", batch=8)
    scores = [Bundle(tmp_path / name).samples(cell.id)["scores"] for name in ("single", "batch")]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5, atol=1e-6)
    assert isinstance(result.agreement, BatchAgreement)
    assert (result.agreement.samples, result.agreement.same_class) == (SAMPLES, 1.0)
    assert result.agreement.max_abs_error == pytest.approx(np.abs(scores[0] - scores[1]).max(), abs=1e-9)
    assert (single.batch, bool(single.offline)) == (1, False)


@pytest.mark.slow
def test_an_onnx_network_with_a_free_batch_takes_it_at_once(colours: Path, tmp_path: Path) -> None:
    net = torch_like_onnx(tmp_path / "net.onnx", ("n", 3, *SIZE))
    cell, result = offline(net, colours, tmp_path / "out", "onnxruntime", batch=7)
    assert (cell.batch, result.inferences, cell.quality.metrics[0].value) == (7, 1, 1.0)
    check_figures(cell, result, Bundle(tmp_path / "out").samples(cell.id)["times_ns"])
    assert isinstance(result.agreement, BatchAgreement)
    assert (result.agreement.samples, result.agreement.same_class) == (30, 1.0)
    assert result.agreement.max_abs_error < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(("own", "inferences"), [(1, 8), (4, 2), (8, 1)])
def test_a_fixed_batch_runs_in_turn_and_says_so(own: int, inferences: int, colours: Path, tmp_path: Path) -> None:
    net = torch_like_onnx(tmp_path / "net.onnx", (own, 3, *SIZE))
    cell, result = offline(net, colours, tmp_path / "out", "onnxruntime", batch=8)
    assert (cell.batch, result.inferences, cell.quality.metrics[0].value) == (own, inferences, 1.0)
    assert (result.in_turn is None) == (inferences == 1)
    assert result.agreement is None
    check_figures(cell, result, Bundle(tmp_path / "out").samples(cell.id)["times_ns"])
    if result.in_turn is not None:
        assert f"[{own}, 3, 5, 7] in the file" in result.in_turn
        assert f"{inferences} inferences in turn" in " ".join(remarks((cell,)))


@pytest.mark.slow
def test_a_runtime_that_cannot_set_a_batch_says_so_before_it_measures(
    vectors: Path, tmp_path: Path, heard: Any
) -> None:
    net = dense_tflite_int8(tmp_path / "net.tflite")
    out = tmp_path / "out"
    (cell,) = edgerig.run(rig(net, vectors, "tflm", scenario="offline", batch=8), out=out, progress=heard).cells
    lines = [index for index, line in enumerate(heard.lines) if "runtime 'tflm' cannot set the batch" in line]
    results = [index for index, line in enumerate(heard.lines) if "an inference" in line]
    assert lines
    assert lines[0] < results[-1]
    assert isinstance(cell.offline, Offline)
    assert (cell.batch, cell.offline.inferences) == (1, 8)
    check_figures(cell, cell.offline, Bundle(out).samples(cell.id)["times_ns"])


@pytest.fixture
def agent() -> Iterator[Agent]:
    with serving(Agent(Address("127.0.0.1", 0), runtimes=("litert",))) as agent:
        yield agent


@pytest.mark.slow
def test_an_agent_sets_the_batch_as_this_machine_does(agent: Agent, vectors: Path, tmp_path: Path) -> None:
    given = rig(dense_tflite(tmp_path / "net.tflite"), vectors, "litert", scenario="offline", batch=8)
    given["matrix"] = [{"runtimes": ["litert"], "targets": [str(agent.address)]}]
    (cell,) = edgerig.run(given, out=tmp_path / "out").cells
    assert isinstance(cell.offline, Offline)
    assert (cell.batch, cell.offline.inferences, cell.quality.metrics[0].value) == (8, 1, 1.0)
    assert isinstance(cell.offline.agreement, BatchAgreement)
    assert (cell.offline.agreement.samples, cell.offline.agreement.same_class) == (SAMPLES, 1.0)
    check_figures(cell, cell.offline, Bundle(tmp_path / "out").samples(cell.id)["times_ns"])


@pytest.mark.slow
def test_intervals_of_batches_are_between_rounds(vectors: Path, tmp_path: Path) -> None:
    net = dense_tflite_int8(tmp_path / "net.tflite")
    cell, result = offline(net, vectors, tmp_path / "out", "tflm", batch=8, rounds=3)
    rounds = Bundle(tmp_path / "out").round_times(cell)
    medians = [float(np.median(batch_times(times, 8))) for times in rounds]
    assert len(rounds) == 3
    assert value(result.per_batch) == pytest.approx(np.median(medians) * 1e-9)
    rate, batch = result.throughput, result.per_batch
    assert isinstance(rate, Measurement)
    assert isinstance(batch, Measurement)
    check_inverse(rate, batch, 8)
    assert "3 rounds" in rate.method
    assert rate.warnings == cell.latency.throughput.warnings  # type: ignore[union-attr]
    assert result.round_seconds == pytest.approx([each * 1e-9 for each in medians])
    # The same with times that differ, and with a round that the clock could not tell, so that the interval begins at 0.
    for base, step, bounded in ((1000, 10, True), (0, 1000, False)):
        times = [np.full(64, base + number * step) for number in range(3)]
        again = figures._offline(result, cell.rounds, times, cell.latency)
        assert isinstance(again.throughput, Measurement)
        assert isinstance(again.per_batch, Measurement)
        assert again.per_batch.value == pytest.approx(8e-9 * (base + step))
        assert (again.per_batch.low != 0) == bounded
        check_inverse(again.throughput, again.per_batch, 8)


def check_inverse(rate: Measurement, batch: Measurement, samples: int) -> None:
    """A rate has the interval of its time upside down; none, for lack of an upper end, where that reaches 0."""
    assert rate.value == pytest.approx(samples / batch.value)
    assert batch.low is not None
    assert batch.high is not None
    if batch.low == 0:
        assert (rate.low, rate.high) == (None, None)
    else:
        assert (rate.low, rate.high) == (pytest.approx(samples / batch.high), pytest.approx(samples / batch.low))
        assert rate.low < rate.value  # type: ignore[operator]


def test_a_batch_that_the_files_own_does_not_divide_is_refused(colours: Path, tmp_path: Path) -> None:
    net = torch_like_onnx(tmp_path / "net.onnx", (4, 3, *SIZE))
    with pytest.raises(EdgerigError, match="runs 4 samples an inference, which is no part of a batch of 6"):
        offline(net, colours, tmp_path / "out", "onnxruntime", batch=6)


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ({"scenario": "offline", "batch": 0}, "batch"),
        ({"scenario": "offline", "batch": -1}, "batch"),
        ({"scenario": "offline"}, "say how many, such as batch: 8"),
        ({"batch": 8}, "single-stream takes one sample after another"),
        ({"scenario": "offline", "batch": 8, "samples": 7}, "batch: 8 is larger than the 7 samples"),
        ({"scenario": "burst"}, "single-stream"),
    ],
)
def test_what_cannot_be_is_refused(measure: dict[str, Any], words: str, vectors: Path, tmp_path: Path) -> None:
    net = dense_tflite(tmp_path / "net.tflite")
    with pytest.raises(SpecError, match=words):
        edgerig.run(rig(net, vectors, "litert", **measure), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_batch_larger_than_the_data_is_refused_before_anything_is_written(vectors: Path, tmp_path: Path) -> None:
    net = dense_tflite(tmp_path / "net.tflite")
    with pytest.raises(IncompatibleError, match=f"batch of 62 samples was asked for, and .* runs {SAMPLES}"):
        offline(net, vectors, tmp_path / "out", batch=62)
    assert not Bundle(tmp_path / "out").exists


def test_a_batch_is_no_setting_of_a_runtime_in_a_rig(vectors: Path, tmp_path: Path) -> None:
    given = rig(dense_tflite(tmp_path / "net.tflite"), vectors, "litert")
    given["matrix"] = [{"runtimes": [{"use": "litert", "batch": 8}]}]
    with pytest.raises(IncompatibleError, match=r"measure: \{scenario: offline, batch: 8\}"):
        edgerig.run(given, out=tmp_path / "out")
