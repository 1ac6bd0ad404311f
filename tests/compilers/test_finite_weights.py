"""Networks with values that are infinite or no numbers are refused, by name, before a scale is made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.needs import need_module

from edgerig.artifact import Artifact, Preprocessing
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.float32 import Float32
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8
from edgerig.compilers.openvino import OpenVinoInt8
from edgerig.compilers.quantize import Dynamic, Float16, Int8, Int16x8
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.models.files import open_artifact
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.runtimes.openvino import OpenVino as OpenVinoRuntime

HOW = {float("nan"): "not a number", float("-inf"): "infinite"}


def spoiled_onnx(source: Artifact, value: float, path: Path) -> tuple[Artifact, str]:
    """The network with one number of its first constant of real ones changed, and that constant's name."""
    model = onnx.load(source.path)
    constant = next(each for each in model.graph.initializer if each.data_type == onnx.TensorProto.FLOAT)
    numbers = onnx.numpy_helper.to_array(constant).copy()
    numbers.flat[0] = value
    constant.CopyFrom(onnx.numpy_helper.from_array(numbers, constant.name))
    onnx.save(model, path)
    return open_artifact(path, preprocessing=source.preprocessing), constant.name


def spoiled_tflite(source: Artifact, value: float, path: Path) -> tuple[Artifact, str]:
    model = flatbuffer.unpack(Path(source.path).read_bytes())
    tensors = model.subgraphs[0].tensors
    weights = (each for each in tensors if each.type == 0 and len(each.shape) > 1)
    tensor = next(each for each in weights if model.buffers[each.buffer].data is not None)
    numbers = np.frombuffer(bytes(model.buffers[tensor.buffer].data), np.float32).copy()
    numbers[0] = value
    model.buffers[tensor.buffer].data = np.frombuffer(numbers.tobytes(), np.uint8)
    path.write_bytes(flatbuffer.pack(model))
    return open_artifact(path, preprocessing=source.preprocessing), tensor.name.decode()


@pytest.mark.parametrize("value", HOW)
@pytest.mark.parametrize("compiler", [Int8, Int16x8, Dynamic, OnnxInt8], ids=lambda each: each.name)
def test_a_constant_that_is_not_finite_is_named(
    value: float, compiler: type[ModelCompiler], float_net: Artifact, onnx_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    of_onnx = compiler is OnnxInt8
    spoil, source, suffix = (spoiled_onnx, onnx_net, "onnx") if of_onnx else (spoiled_tflite, float_net, "tflite")
    network, name = spoil(source, value, tmp_path / f"bad.{suffix}")
    with pytest.raises(CompileError) as caught:
        compiler().compile(network, tmp_path / "out", blobs)
    message = caught.value.message
    assert f"bad.{suffix} cannot be quantized: 1 of " in message
    assert HOW[value] in message
    assert name[:20] in message


def test_what_keeps_real_numbers_takes_them(float_net: Artifact, tmp_path: Path) -> None:
    network, _ = spoiled_tflite(float_net, float("-inf"), tmp_path / "mask.tflite")
    assert Float16().compile(network, tmp_path / "out").scheme == "float16"


def with_operator(source: Artifact, op: str, constants: dict[str, np.ndarray], path: Path) -> Artifact:
    """The network with an operator more, after its first convolution: its input, and the constants."""
    model = onnx.load(source.path)
    place = next(number for number, node in enumerate(model.graph.node) if node.op_type == "Conv")
    conv = model.graph.node[place]
    result, before = conv.output[0], "before"
    conv.output[0] = before
    first, *rest = constants
    inputs = [first, before, *rest] if op == "Where" else [before, *constants]
    model.graph.node.insert(place + 1, onnx.helper.make_node(op, inputs, [result], name="more"))
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.save(model, path)
    return open_artifact(path, preprocessing=source.preprocessing)


@pytest.mark.parametrize("op", ["Clip", "Max", "Min"])
def test_bounds_may_be_infinite(op: str, onnx_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    ends = [np.float32("-inf"), np.float32("inf")]
    chosen = {"Clip": ends, "Max": ends[:1], "Min": ends[1:]}[op]
    named = {f"bound{number}": np.array(end) for number, end in enumerate(chosen)}
    network = with_operator(onnx_net, op, named, tmp_path / "bounded.onnx")
    assert np.abs(outputs(OnnxInt8().compile(network, tmp_path / "out", blobs)) - outputs(network)).max() < 0.1


def outputs(network: Artifact, x: np.ndarray | None = None) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(network.path)
    x = np.random.default_rng(0).random((1, *network.inputs[0].shape[1:]), np.float32) if x is None else x
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0])


@pytest.mark.parametrize(("value", "words"), [(-np.inf, "infinite"), (np.finfo(np.float32).min, "as good as infinite")])
def test_a_mask_whose_result_is_quantized_is_told(
    value: float, words: str, onnx_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    keep, mask = np.arange(8).reshape(8, 1, 1) % 3 > 0, np.array(value, np.float32)
    network = with_operator(onnx_net, "Where", {"keep": keep, "mask": mask}, tmp_path / "masked.onnx")
    with pytest.raises(CompileError, match=words):
        OnnxInt8().compile(network, tmp_path / "out", blobs)


@pytest.mark.parametrize("value", [-np.inf, np.finfo(np.float32).min], ids=["infinite", "lowest"])
def test_nncf_takes_masks_as_they_are(value: float, onnx_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    need_module("openvino", "openvino")
    need_module("nncf", "nncf")
    keep, mask = np.arange(8).reshape(8, 1, 1) % 3 > 0, np.array(value, np.float32)
    network = with_operator(onnx_net, "Where", {"keep": keep, "mask": mask}, tmp_path / "masked.onnx")
    runtime, reference = OpenVinoRuntime(), OnnxRuntime()
    runtime.load(Path(OpenVinoInt8().compile(network, tmp_path / "out", blobs).path))
    reference.load(Path(network.path))
    inputs = blobs.split("test").inputs(slice(0, 16), blobs.preprocessing)
    for x in inputs.reshape(16, *network.inputs[0].shape):
        assert np.abs(runtime.run_one((x,))[1][0] - reference.run_one((x,))[1][0]).max() < 0.1


@pytest.fixture(scope="module")
def infinite_nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """Keras networks with numbers that no scale fits: masks that are constants, for which the converter writes the
    lowest number, or computed, added before a softmax or chosen there; one before a sigmoid, which takes something of
    it; and the padding of a maximum."""
    from edgerig.models.keras.engine import import_keras, seeded

    keras = import_keras()
    ops = keras.ops
    folder, keep = tmp_path_factory.mktemp("infinite"), np.arange(8) % 3 > 0
    mask, sides = np.where(keep, 0, -np.inf).astype(np.float32), ((0, 0), (1, 1), (1, 1), (0, 0))

    def covered(x: Any) -> Any:
        """1 where scores are covered: those below 0, as 1 - relu(1 - relu(-1000 x)) tells."""
        return 1 - ops.relu(1 - ops.relu(x * -1000))

    ends: dict[str, Callable[[Any], Any]] = {
        "added": lambda x: ops.softmax(x + mask),
        "chosen": lambda x: ops.softmax(ops.where(keep, x, -np.inf)),
        "computed": lambda x: ops.softmax(x + covered(x) * -1e9),
        "largest": lambda x: ops.softmax(x - covered(x) * 1e38),
        "needed": lambda x: ops.sigmoid(x + covered(x) * -1e9),
        "padded": lambda x: ops.max_pool(ops.pad(x, sides, constant_values=-np.inf), 3, 1),
    }
    for name, end in ends.items():
        with seeded(7):
            start = keras.Input((12, 12, 1))
            rest = keras.layers.Flatten()(end(keras.layers.Conv2D(8, 3, strides=4)(start)))
            keras.Model(start, keras.layers.Dense(4)(rest)).save(folder / f"{name}.keras")
    return {name: open_artifact(folder / f"{name}.keras", preprocessing=Preprocessing(scale=1 / 255)) for name in ends}


@pytest.mark.parametrize(
    ("name", "compiler"),
    [("added", Int8), ("chosen", Int16x8), ("computed", Int8), ("computed", Int16x8), ("largest", Int8)],
)
def test_a_mask_before_a_softmax_costs_no_score_its_scale(
    name: str,
    compiler: type[ModelCompiler],
    infinite_nets: dict[str, Artifact],
    blobs: Dataset,
    run_litert: Any,
    tmp_path: Path,
) -> None:
    x = blobs.split("test").inputs(slice(0, 16), blobs.preprocessing)
    wanted = run_litert(Path(Float32().compile(infinite_nets[name], tmp_path / "float").path), x)
    got = run_litert(Path(compiler().compile(infinite_nets[name], tmp_path / "out", blobs).path), x)
    assert np.abs(got - wanted).max() < 0.1 * np.ptp(wanted)


def test_a_computed_mask_in_onnx_costs_no_score_its_scale(
    infinite_nets: dict[str, Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    network = Onnx().compile(infinite_nets["computed"], tmp_path / "float")
    x = blobs.split("test").inputs(slice(0, 1), blobs.preprocessing)
    wanted, got = outputs(network, x), outputs(OnnxInt8().compile(network, tmp_path / "out", blobs), x)
    assert np.abs(got - wanted).max() < 0.1 * np.ptp(wanted)


def test_numbers_that_another_tensors_scale_makes_one_are_named(
    infinite_nets: dict[str, Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(CompileError, match=r"reaches from -1e\+09 to .* becomes one number"):
        Int8().compile(infinite_nets["needed"], tmp_path / "tflite", blobs)
    network = Onnx().compile(infinite_nets["needed"], tmp_path / "float")
    with pytest.raises(CompileError, match=r"reaches from -1e\+09 to .* becomes one number"):
        OnnxInt8().compile(network, tmp_path / "onnx", blobs)


@pytest.mark.parametrize("value", [np.finfo(np.float32).min, -np.inf], ids=["lowest", "infinite"])
def test_what_pads_a_maximum_becomes_the_least_integer(
    value: float, infinite_nets: dict[str, Artifact], blobs: Dataset, run_litert: Any, tmp_path: Path
) -> None:
    float_file = Float32().compile(infinite_nets["padded"], tmp_path / "float")
    model = flatbuffer.unpack(Path(float_file.path).read_bytes())
    buffers = [each for each in model.buffers if each.data is not None and len(each.data) == 4]
    padding = next(each for each in buffers if np.frombuffer(bytes(each.data), np.float32)[0] < -1e38)
    padding.data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
    (tmp_path / "padded.tflite").write_bytes(flatbuffer.pack(model))
    network = open_artifact(tmp_path / "padded.tflite", preprocessing=blobs.preprocessing)
    x = blobs.split("test").inputs(slice(0, 8), blobs.preprocessing)
    wanted = run_litert(Path(network.path), x)
    got = run_litert(Path(Int8().compile(network, tmp_path / "int8", blobs).path), x)
    assert np.abs(got - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_tensor_that_becomes_infinite_in_calibration_is_named(
    onnx_net: Artifact, blobs: Dataset, tmp_path: Path
) -> None:
    model = onnx.load(onnx_net.path)
    first = model.graph.node[0].input[0]
    model.graph.node[0].input[0] = "quotient"
    for node in (
        onnx.helper.make_node("Div", [first, "difference"], ["quotient"]),
        onnx.helper.make_node("Sub", [first, first], ["difference"]),
    ):
        model.graph.node.insert(0, node)
    onnx.save(model, tmp_path / "divides.onnx")
    network = open_artifact(tmp_path / "divides.onnx", preprocessing=onnx_net.preprocessing)
    with pytest.raises(
        CompileError, match=r"divides\.onnx cannot be quantized: with the calibration samples the tensor"
    ):
        OnnxInt8().compile(network, tmp_path / "out", blobs)
