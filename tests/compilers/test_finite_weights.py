"""Networks with values that are infinite or no numbers are refused, by name, before a scale is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgerig.artifact import Artifact
from edgerig.compilers import flatbuffer
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.onnx_int8 import OnnxInt8
from edgerig.compilers.quantize import Dynamic, Float16, Int8, Int16x8
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.models.files import open_artifact

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
    tensor = next(each for each in tensors if each.type == 0 and model.buffers[each.buffer].data is not None)
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
