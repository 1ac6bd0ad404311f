"""Networks of several inputs and outputs through a whole run, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from msgspec import UNSET
from numpy.typing import NDArray
from onnx import TensorProto, helper
from tests.agents import serving

import edgerig
from edgerig.agent.server import Address, Agent
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Measurement
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.results.layers.stored import read_layer_errors
from edgerig.results.types import CellResult
from edgerig.tasks.judgement import Agreement
from edgerig.testing.networks.onnx_networks import colour_images
from edgerig.testing.networks.several_ends import (
    SCALES,
    integers_onnx,
    integers_table,
    two_in_three_out,
    two_in_three_out_tflite,
)

QUICK = {"warmup": 1, "rounds": 1, "seconds": 0, "profile_samples": 2, "transport_samples": 2}
BOTH = {"left": {"shape": [8], "low": -1, "high": 1}, "right": {"shape": [6], "low": -1, "high": 1}}


def run(model: dict[str, Any], dataset: dict[str, Any], out: Path, rounds: int = 1, **block: Any) -> CellResult:
    measure = {**QUICK, "rounds": rounds}
    rig = {"name": "t", "model": model, "dataset": dataset, "matrix": [block], "measure": measure}
    (cell,) = edgerig.run(rig, out=out).cells
    return cell


def fed(dataset: dict[str, Any]) -> dict[str, NDArray[Any]]:
    samples = make("dataset", "random", Dataset, {k: v for k, v in dataset.items() if k != "use"}).split("test")
    return dict(samples.named_inputs(slice(0, len(samples)), Preprocessing()))


def check_scores(out: Path, cell: CellResult, dataset: dict[str, Any], tolerance: float) -> None:
    inputs = fed(dataset)
    expected = np.concatenate(two_in_three_out(inputs["left"], inputs["right"]), axis=1)
    np.testing.assert_allclose(Bundle(out).samples(cell.id)["scores"], expected, atol=tolerance)


@pytest.mark.slow
def test_each_input_gets_its_own_array_and_all_outputs_come_back(tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": BOTH, "samples": 50}
    net = two_in_three_out_tflite(tmp_path / "net.tflite")
    cell = run({"file": str(net)}, dataset, tmp_path / "out", rounds=2, runtimes=["litert"])
    check_scores(tmp_path / "out", cell, dataset, 1e-5)
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.max_abs_error == 0.0
    assert len({round_.outputs for round_ in cell.rounds}) == 1, "later rounds feed the same samples"


@pytest.mark.slow
def test_the_order_in_which_the_dataset_names_its_arrays_does_not_matter(tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": dict(reversed(BOTH.items())), "samples": 20}
    net = two_in_three_out_tflite(tmp_path / "net.tflite")
    cell = run({"file": str(net)}, dataset, tmp_path / "out", runtimes=["litert"])
    check_scores(tmp_path / "out", cell, dataset, 1e-5)


@pytest.mark.slow
def test_every_input_and_output_has_a_scale_of_its_own(tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": BOTH, "samples": 50}
    net = two_in_three_out_tflite(tmp_path / "net.tflite", int8=True)
    float_net = two_in_three_out_tflite(tmp_path / "float.tflite")
    model = {"file": str(net), "reference": str(float_net)}
    cell = run(model, dataset, tmp_path / "out", runtimes=["litert"])
    inputs = fed(dataset)
    scores = Bundle(tmp_path / "out").samples(cell.id)["scores"]
    parts = np.split(scores, np.cumsum([4, 3])[:2], axis=1)
    for name, ours, wanted in zip(list(SCALES)[2:], parts, two_in_three_out(**inputs), strict=True):
        # Half a step of the output, and what quantizing eight inputs and weights of up to 1 makes.
        assert np.abs(ours - wanted).max() < SCALES[name][0] / 2 + 0.15, name
        steps = ours / SCALES[name][0]
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.max_abs_error is not None
    assert 0 < cell.agreement.max_abs_error < 0.3


@pytest.mark.slow
def test_a_fixed_batch_of_several_inputs(tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": BOTH, "samples": 10}
    net = two_in_three_out_tflite(tmp_path / "net.tflite", batch=4)
    cell = run({"file": str(net)}, dataset, tmp_path / "out", runtimes=["litert"])
    check_scores(tmp_path / "out", cell, dataset, 1e-5)
    assert (cell.batch, len(Bundle(tmp_path / "out").samples(cell.id)["times_ns"])) == (4, 3)


@pytest.mark.slow
def test_integers_and_truth_values_arrive_exactly(tmp_path: Path) -> None:
    ids = {"shape": [5], "dtype": "int64", "high": 9}
    dataset = {"use": "random", "inputs": {"ids": ids, "flags": {"shape": [4], "dtype": "bool"}}, "samples": 40}
    net = integers_onnx(tmp_path / "net.onnx")
    cell = run({"file": str(net)}, dataset, tmp_path / "out", runtimes=["onnxruntime"])
    inputs = fed(dataset)
    assert set(inputs["ids"].reshape(-1).tolist()) == set(range(10))
    words = integers_table()[inputs["ids"]]
    chosen = np.where(inputs["flags"], words[:, 0], -1)
    expected = np.concatenate([words.reshape(40, -1), chosen, ~inputs["flags"]], axis=1)
    np.testing.assert_array_equal(Bundle(tmp_path / "out").samples(cell.id)["scores"], expected)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["micro", "tflm"])
@pytest.mark.parametrize("int8", [False, True])
def test_engines_for_microcontrollers_answer_the_same(runtime: str, int8: bool, tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": BOTH, "samples": 20}
    net = two_in_three_out_tflite(tmp_path / "net.tflite", int8=int8)
    cell = run({"file": str(net)}, dataset, tmp_path / "out", runtimes=[runtime])
    check_scores(tmp_path / "out", cell, dataset, 0.25 if int8 else 1e-5)


@pytest.fixture
def agent() -> Iterator[Agent]:
    with serving(Agent(Address("127.0.0.1", 0))) as agent:
        yield agent


@pytest.mark.slow
def test_an_agent_runs_them(agent: Agent, tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": BOTH, "samples": 20}
    net = two_in_three_out_tflite(tmp_path / "net.tflite")
    cell = run({"file": str(net)}, dataset, tmp_path / "out", runtimes=["litert"], targets=[str(agent.address)])
    check_scores(tmp_path / "out", cell, dataset, 1e-5)


@pytest.mark.slow
def test_a_simulated_board_runs_them(tmp_path: Path) -> None:
    dataset = {"use": "random", "inputs": BOTH, "samples": 5}
    net = two_in_three_out_tflite(tmp_path / "net.tflite", int8=True)
    cell = run({"file": str(net)}, dataset, tmp_path / "out", targets=["sim:stm32f746"], runtimes=["micro"])
    check_scores(tmp_path / "out", cell, dataset, 0.25)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"left": BOTH["left"]}, "takes 'left', 'right', and dataset 'random' gives 'left': nothing .* for 'right'"),
        (BOTH | {"right": {"shape": [5]}}, r"samples of shape \[5\], but the network's input 'right' takes \[6\]"),
        ({}, r"has 2 inputs \(left, right\), and dataset 'random' gives one"),
    ],
)
def test_an_input_that_is_missing_or_does_not_fit_is_told_before_the_device(
    inputs: dict[str, Any], message: str, tmp_path: Path
) -> None:
    net = two_in_three_out_tflite(tmp_path / "net.tflite")
    dataset = {"use": "random", "samples": 4, **({"inputs": inputs} if inputs else {"shape": [8]})}
    with pytest.raises(IncompatibleError, match=message):
        run({"file": str(net)}, dataset, tmp_path / "out", runtimes=["litert"])
    assert not (tmp_path / "out").exists()


def labelled(path: Path, **arrays: NDArray[Any]) -> dict[str, Any]:
    """A dataset of these arrays, test and training alike."""
    np.savez(path, **{f"{name}_{part}": array for name, array in arrays.items() for part in ("train", "test")})
    return {"use": "npz", "file": str(path)}


@pytest.mark.slow
def test_a_dataset_gives_each_input_by_its_name_and_the_named_output_is_judged(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(60, 8)).astype(np.float32), rng.normal(size=(60, 6)).astype(np.float32)
    answers = two_in_three_out(left, right)[1].argmax(axis=1)
    labels = np.where(np.arange(60) % 4 == 0, np.arange(60) % 3, answers)
    dataset = labelled(tmp_path / "d.npz", x_right=right, x_left=left, y=labels)
    model = {"file": str(two_in_three_out_tflite(tmp_path / "net.tflite")), "output": "second"}
    cell = run(model, dataset, tmp_path / "out", runtimes=["litert"])
    assert cell.quality.metrics[0].value == pytest.approx((labels == answers).mean())
    assert (cell.quality.output, cell.quality.others) == ("second", ("first", "third"))
    unnamed = run({"file": model["file"]}, dataset, tmp_path / "unnamed", runtimes=["litert"])
    assert (unnamed.quality.output, unnamed.quality.metrics) == ("second", cell.quality.metrics), "no other one fits"
    missing = labelled(tmp_path / "m.npz", x_left=left, x_wrong=right, y=labels)
    with pytest.raises(IncompatibleError, match="nothing is there for 'right'"):
        run(model, missing, tmp_path / "missing", runtimes=["litert"])


def brightest_onnx(path: Path, size: tuple[int, int] = (5, 7)) -> Path:
    """Which of three channels is the brightest, of ``image`` (1, 3, *size), with ``bonus`` (1, 3) added to each."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Add", ["flat", "bonus"], ["scores"]),
    ]
    ends = {"image": [1, 3, *size], "bonus": [1, 3], "scores": [1, 3]}
    image, bonus, scores = (helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in ends.items())
    graph = helper.make_graph(nodes, "brightest", [image, bonus], [scores])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("layout", [None, "nchw"])
def test_of_several_inputs_the_image_is_turned_to_channels_first(layout: str | None, tmp_path: Path) -> None:
    images, _ = colour_images(30, (5, 7))
    bonus = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
    labels = (images.mean(axis=(1, 2)) / 255 + bonus).argmax(axis=1)
    dataset = labelled(tmp_path / "d.npz", x_image=images, x_bonus=bonus, y=labels)
    model = {"file": str(brightest_onnx(tmp_path / "net.onnx")), **({"layout": layout} if layout else {})}
    cell = run(model, dataset, tmp_path / "out", runtimes=["onnxruntime"])
    assert cell.quality.metrics[0].value == 1.0
    assert [spec.layout for spec in cell.artifact.inputs] == ["nchw", UNSET]


def test_a_layout_that_would_fit_both_ways_is_asked_for_beside_another_input(tmp_path: Path) -> None:
    images, _ = colour_images(30, (3, 3))
    bonus = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
    dataset = labelled(tmp_path / "d.npz", x_image=images, x_bonus=bonus, y=np.arange(30) % 3)
    net = brightest_onnx(tmp_path / "net.onnx", (3, 3))
    with pytest.raises(IncompatibleError, match=r"'image' takes .*both channels last and channels first"):
        run({"file": str(net)}, dataset, tmp_path / "out", runtimes=["onnxruntime"])


def shrunk_onnx(path: Path) -> Path:
    """Of ``a`` (1, 3) and ``b`` (1, 2): ``y``, 0.9 b and then 0.8 a, and ``score``, the sum of ``b``."""
    constants = {"ka": np.float32(0.8), "kb": np.float32(0.9), "axes": np.array([1], np.int64)}
    nodes = [
        helper.make_node("Mul", ["a", "ka"], ["less_a"]),
        helper.make_node("Mul", ["b", "kb"], ["less_b"]),
        helper.make_node("Concat", ["less_b", "less_a"], ["y"], axis=1),
        helper.make_node("ReduceSum", ["b", "axes"], ["score"], keepdims=1),
    ]
    ends = {"a": [1, 3], "b": [1, 2], "y": [1, 5], "score": [1, 1]}
    a, b, y, score = (helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in ends.items())
    tensors = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "shrunk", [a, b], [y, score], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def anomalies(tmp_path: Path, output: str, **task: Any) -> NDArray[Any]:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=(40, 2)).astype(np.float32)
    dataset = labelled(tmp_path / "d.npz", x_a=a, x_b=b, y=np.arange(40) % 2)
    rig = {
        "name": "t",
        "model": {"file": str(shrunk_onnx(tmp_path / "net.onnx")), "output": output},
        "dataset": dataset,
        "task": {"use": "anomaly", **task},
        "matrix": [{"runtimes": ["onnxruntime"]}],
        "measure": {**QUICK, "rounds": 2},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    assert len({round_.outputs for round_ in cell.rounds}) == 1
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.max_abs_error == 0.0
    scores = Bundle(tmp_path / "out").samples(cell.id)["kept_anomaly"]
    parts = {"score": b.sum(axis=1), "y": (((0.1 * b) ** 2).sum(axis=1) + ((0.2 * a) ** 2).sum(axis=1)) / 5}
    np.testing.assert_allclose(scores, parts[output], rtol=1e-5, atol=1e-6)
    return np.asarray(scores)


@pytest.mark.slow
def test_an_output_that_reconstructs_several_inputs_is_held_against_those_that_are_named(tmp_path: Path) -> None:
    anomalies(tmp_path, "y", inputs=["b", "a"])


@pytest.mark.slow
def test_a_score_of_several_inputs_takes_none_of_them(tmp_path: Path) -> None:
    anomalies(tmp_path, "score")


@pytest.mark.parametrize(
    ("output", "task", "said"),
    [
        ("y", {}, "several inputs, and which of them its output reconstructs is not said"),
        ("score", {"score": "reconstruction"}, "several inputs, and which of them"),
        ("y", {"inputs": ["b"]}, "gives 5 values for the 2 of a sample"),
        ("y", {"inputs": ["b", "c"]}, "no input 'c', which is to be reconstructed"),
    ],
)
def test_what_is_not_said_of_several_inputs_is_asked_before_the_device(
    output: str, task: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(IncompatibleError, match=said):
        anomalies(tmp_path, output, **task)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_errors_of_layers_are_had_of_networks_with_several_inputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(60, 8)).astype(np.float32), rng.normal(size=(60, 6)).astype(np.float32)
    labels = two_in_three_out(left, right)[1].argmax(axis=1)
    rig = {
        "name": "t",
        "model": {"file": str(two_in_three_out_tflite(tmp_path / "net.tflite")), "output": "second"},
        "dataset": labelled(tmp_path / "d.npz", x_right=right, x_left=left, y=labels),
        "matrix": [{"compilers": ["none", "int8"], "runtimes": ["micro"]}],
        "measure": {**QUICK, "layer_errors": 60},
    }
    _, cell = edgerig.run(rig, out=tmp_path / "out").cells
    errors = read_layer_errors(tmp_path / "out", cell)
    assert errors is not None
    assert errors.samples == 32
    assert errors.notes == (
        "Its outputs are, bit by bit, those on local by micro.",
        "Its tensors were read here, since on the device they cannot be: "
        "runtime micro gives no tensors between layers.",
    )
    assert {layer.tensor for layer in errors.layers} >= {"first", "second", "third"}
    for layer in errors.layers:
        assert isinstance(layer.sqnr, Measurement)
        assert layer.sqnr.value > 20
