"""Errors of layers: a layer that is made bad is the one that is shown as bad, and nothing is matched that differs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer
from edgerig.compilers.layer_errors import NetworkFile, layer_errors, layer_groups
from edgerig.compilers.layer_errors.sums import ErrorSums
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8
from edgerig.compilers.quantize import Float16, Int8
from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.layer_error import LayerError
from edgerig.models.files import open_artifact
from edgerig.models.graph.scheme import WEIGHTED
from edgerig.progress import Progress
from edgerig.testing.networks.several_ends import two_in_three_out, two_in_three_out_tflite

#: Weighted layers of the network of the fixtures.
WEIGHTED_LAYERS = 4
Errors = dict[str, LayerError]


@pytest.fixture(scope="module")
def calls(blobs: Dataset, float_net: Artifact) -> list[tuple[NDArray[np.float32], ...]]:
    samples = blobs.split("test").inputs(slice(0, 16), float_net.preprocessing)
    return [(sample[None],) for sample in samples]


@pytest.fixture(scope="module")
def int8_net(float_net: Artifact, blobs: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return Int8().compile(float_net, tmp_path_factory.mktemp("int8"), blobs)


def errors_of(deployed: Path, reference: Path, calls: list[tuple[NDArray[np.float32], ...]]) -> Errors:
    network = NetworkFile.read(deployed)
    results = layer_errors(network, NetworkFile.read(reference), layer_groups(network.graph), calls, Progress())
    return {layer.name: layer for layer in results.layers}


def number(quantity: object) -> float:
    assert isinstance(quantity, Measurement), quantity
    return quantity.value


def changed(source: Path, out: Path, change: Callable[[Any], None]) -> Path:
    model = flatbuffer.unpack(source.read_bytes())
    change(model)
    out.write_bytes(flatbuffer.pack(model))
    return out


def test_no_sample_is_begun_after_the_time_that_is_given(int8_net: Artifact, float_net: Artifact, calls: Any) -> None:
    network = NetworkFile.read(Path(int8_net.path))
    groups = layer_groups(network.graph)
    results = layer_errors(network, NetworkFile.read(Path(float_net.path)), groups, calls, Progress(), seconds=0.0)
    assert [len(output) for output in results.outputs] == [1]
    assert len(results.layers) == len(groups)


def test_an_int8_network_is_near_its_float_one(int8_net: Artifact, float_net: Artifact, calls: Any) -> None:
    errors = errors_of(Path(int8_net.path), Path(float_net.path), calls)
    assert len(errors) > WEIGHTED_LAYERS
    for layer in errors.values():
        assert number(layer.own_sqnr) > 25, layer
        assert number(layer.sqnr) > 15, layer
        assert isinstance(layer.sqnr, Measurement)
        assert layer.sqnr.n == len(calls)


@pytest.mark.parametrize("position", range(WEIGHTED_LAYERS))
def test_the_layer_that_is_made_bad_is_the_one_that_is_shown_as_bad(
    position: int, int8_net: Artifact, float_net: Artifact, calls: Any, tmp_path: Path
) -> None:
    graph = NetworkFile.read(Path(int8_net.path)).graph
    bad = [operator for operator in graph.operators if operator.op in WEIGHTED][position]
    before = errors_of(Path(int8_net.path), Path(float_net.path), calls)

    def wrong_scale(model: Any) -> None:
        weight = model.subgraphs[0].tensors[bad.inputs[1]]
        weight.quantization.scale = [2 * scale for scale in weight.quantization.scale]

    file = changed(Path(int8_net.path), tmp_path / "bad.tflite", wrong_scale)
    after = errors_of(file, Path(float_net.path), calls)
    worst = min(after.values(), key=lambda layer: number(layer.own_sqnr))
    assert bad.index in worst.operators
    assert number(worst.own_sqnr) < 15
    for name, layer in after.items():
        if name != worst.name:
            assert layer.own_sqnr == before[name].own_sqnr, "alone, the other layers are as good as before"
        if max(layer.operators) < bad.index:
            assert layer == before[name], "a layer before the bad one knows nothing of it"


def test_the_float_network_itself_has_no_error(float_net: Artifact, calls: Any) -> None:
    for layer in errors_of(Path(float_net.path), Path(float_net.path), calls).values():
        assert number(layer.largest) == number(layer.own_largest) == 0.0
        assert layer.sqnr == Unavailable("no value differs, so that the ratio has no bound")


def test_the_formula_by_numpy(int8_net: Artifact, float_net: Artifact, calls: Any, run_litert: Any) -> None:
    errors = errors_of(Path(int8_net.path), Path(float_net.path), calls)
    inputs = np.concatenate([call for (call,) in calls])
    exact, actual = run_litert(float_net.path, inputs), run_litert(int8_net.path, inputs)
    last = errors["[output]"] if "[output]" in errors else list(errors.values())[-1]
    # Other kernels than those of the interpreter's default differ by a step of the output's scale at most.
    assert number(last.largest) == pytest.approx(np.abs(actual - exact).max(), abs=1.5 / 256)


def test_another_activation_is_no_match(int8_net: Artifact, float_net: Artifact, calls: Any, tmp_path: Path) -> None:
    def without_activation(model: Any) -> None:
        first = model.subgraphs[0].operators[0]
        first.builtinOptions.fusedActivationFunction = 0

    file = changed(Path(int8_net.path), tmp_path / "other.tflite", without_activation)
    first = next(iter(errors_of(file, Path(float_net.path), calls).values()))
    assert first.sqnr == Unavailable("its activation is NONE here, and RELU in the float network")
    assert first.own_sqnr == first.sqnr
    assert not first.tensor


def test_a_tensor_of_another_name_is_no_match(
    int8_net: Artifact, float_net: Artifact, calls: Any, tmp_path: Path
) -> None:
    index = NetworkFile.read(Path(int8_net.path)).graph.operators[0].outputs[0]

    def rename(model: Any) -> None:
        model.subgraphs[0].tensors[index].name = b"scope/other"

    file = changed(Path(int8_net.path), tmp_path / "other.tflite", rename)
    errors = errors_of(file, Path(float_net.path), calls)
    assert errors["scope"].sqnr == Unavailable("the float network has no tensor 'scope/other'")
    second = list(errors.values())[1]
    assert isinstance(second.sqnr, Measurement), "it is compared all the same"
    assert isinstance(second.own_sqnr, Unavailable), "but cannot be run alone: nobody knows its float input"


def test_two_tensors_of_one_name_are_no_match(
    int8_net: Artifact, float_net: Artifact, calls: Any, tmp_path: Path
) -> None:
    graph = NetworkFile.read(Path(float_net.path)).graph
    first, second = (graph.operators[position].outputs[0] for position in (0, 1))

    def same_name(model: Any) -> None:
        tensors = model.subgraphs[0].tensors
        tensors[second].name = tensors[first].name

    file = changed(Path(float_net.path), tmp_path / "twice.tflite", same_name)
    layer = next(iter(errors_of(Path(int8_net.path), file, calls).values()))
    assert isinstance(layer.sqnr, Unavailable)
    assert layer.sqnr.reason.startswith("several tensors are called")


def test_networks_of_other_inputs_are_refused(int8_net: Artifact, digit_net: Path, calls: Any) -> None:
    with pytest.raises(IncompatibleError, match=r"takes \[1, 12, 12, 1\]"):
        errors_of(Path(int8_net.path), digit_net, calls)


def test_weights_of_float16_are_unpacked(float_net: Artifact, calls: Any, tmp_path: Path) -> None:
    half = Float16().compile(float_net, tmp_path)
    weighted = [
        layer
        for layer in errors_of(Path(half.path), Path(float_net.path), calls).values()
        if isinstance(layer.own_sqnr, Measurement)
    ]
    assert len(weighted) >= WEIGHTED_LAYERS
    assert min(number(layer.own_sqnr) for layer in weighted) > 55


def test_onnx_is_compared_with_onnx(
    float_net: Artifact, int8_net: Artifact, blobs: Dataset, calls: Any, tmp_path: Path
) -> None:
    exact = Onnx().compile(float_net, tmp_path / "float")
    quantized = OnnxInt8().compile(exact, tmp_path / "int8", blobs)
    errors = errors_of(Path(quantized.path), Path(exact.path), calls)
    measured = [layer for layer in errors.values() if isinstance(layer.own_sqnr, Measurement)]
    assert len(measured) >= WEIGHTED_LAYERS
    assert min(number(layer.own_sqnr) for layer in measured) > 20
    with pytest.raises(IncompatibleError, match="tflite network and its float one is onnx"):
        errors_of(Path(int8_net.path), Path(exact.path), calls)


def test_each_of_several_inputs_is_fed_by_its_name(left_and_right: Npz, float_net: Artifact, tmp_path: Path) -> None:
    """Also where the float network takes them in another order, and one layer after another is on its own values."""
    network = open_artifact(two_in_three_out_tflite(tmp_path / "net.tflite"))
    int8_net = Int8().compile(network, tmp_path / "int8", left_and_right)

    def swap(model: Any) -> None:
        model.subgraphs[0].inputs = list(reversed(model.subgraphs[0].inputs))
        model.signatureDefs = None

    swapped = changed(Path(network.path), tmp_path / "swapped.tflite", swap)
    inputs = left_and_right.split("test").named_inputs(slice(0, 20), network.preprocessing)
    calls = list(zip(inputs["left"][:, None], inputs["right"][:, None], strict=True))
    deployed = NetworkFile.read(Path(int8_net.path))
    expected = two_in_three_out(inputs["left"], inputs["right"])
    for reference in (Path(network.path), swapped):
        results = layer_errors(deployed, NetworkFile.read(reference), layer_groups(deployed.graph), calls, Progress())
        for output, exact in zip(results.outputs, expected, strict=True):
            assert np.abs(output[:, 0] - exact).max() < 0.05 * np.abs(exact).max()
        ratios = [number(layer.sqnr) for layer in results.layers if layer.tensor in ("first", "second", "third")]
        assert len(ratios) == 3
        assert min(ratios) > 30, "dB: a layer that is fed what another input takes has none left"
    with pytest.raises(IncompatibleError, match=r"takes \[1, 8\], \[1, 6\], and its float network \[1, 12, 12, 1\]"):
        layer_errors(deployed, NetworkFile.read(Path(float_net.path)), [], calls, Progress())


def test_a_layer_that_says_the_same_of_all_samples_is_no_evidence(
    int8_net: Artifact, float_net: Artifact, calls: Any
) -> None:
    """One sample several times: no layer depends on it, and no ratio is told; differences are."""
    errors = errors_of(Path(int8_net.path), Path(float_net.path), [calls[0]] * 3)
    for layer in errors.values():
        for ratio in (layer.sqnr, layer.own_sqnr):
            assert isinstance(ratio, Unavailable)
            assert "the same here for all 3 samples" in ratio.reason
    assert any(isinstance(layer.largest, Measurement) and layer.largest.value > 0 for layer in errors.values())


def test_a_dead_channel_beside_a_living_one_is_evidence() -> None:
    sums = ErrorSums()
    for value in (1.0, 2.0):
        sums.add(np.array([5.0, value]), np.array([5.0, value + 0.1]))
    ratio, _ = sums.figures("by hand")
    assert isinstance(ratio, Measurement)
    assert ratio.value == pytest.approx(10 * np.log10((25 + 1 + 25 + 4) / 0.02))
