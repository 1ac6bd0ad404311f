"""Integer tensors of ONNX networks have the scales that stand beside the operators, also where numbers move only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgerig.datasets.preprocess import dequantize, quantize_input
from edgerig.models.files import open_artifact
from edgerig.models.graph.read import read_graph
from edgerig.tensors import Quantization

U8, I8, F32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.FLOAT
CONSTANTS = {
    "s": np.float32(0.5), "z": np.uint8(3), "t": np.float32(0.25), "n": np.int8(-7), "u": np.uint8(9),
    "w": np.array([[1, 2], [3, 4], [5, 6]], np.int8), "ws": np.array([0.5, 2], np.float32), "wz": np.zeros(2, np.int8),
    "k": np.ones((2, 3, 1, 1), np.int8), "shape": np.array([1, 2]),
}  # fmt: skip
X, Y = Quantization((0.5,), (3,)), Quantization((0.25,), (9,))


def node(op: str, *names: str, **attributes: Any) -> onnx.NodeProto:
    """The last name is the output's."""
    domain = "com.microsoft" if op in ("QLinearAdd", "QLinearSigmoid", "QLinearConcat", "QGemm") else ""
    return helper.make_node(op, list(names[:-1]), [names[-1]], domain=domain, **attributes)


def saved(path: Path, nodes: list[onnx.NodeProto], x: tuple[int, list[int]], y: tuple[int, list[int]]) -> Path:
    used = {name for each in nodes for name in each.input}
    constants = [numpy_helper.from_array(value, name) for name, value in CONSTANTS.items() if name in used]
    ends = ([helper.make_tensor_value_info(name, *end)] for name, end in (("x", x), ("y", y)))
    graph = helper.make_graph(nodes, "net", *ends, constants)
    domains = [helper.make_opsetid("", 19), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=9), path)
    return path


INTEGER = {
    "conv": (node("QLinearConv", "x", "s", "z", "k", "ws", "wz", "t", "u", "y"), [1, 3, 2, 2], [1, 2, 2, 2]),
    "matmul": (node("QLinearMatMul", "x", "s", "z", "w", "ws", "wz", "t", "u", "y"), [1, 3], [1, 2]),
    "gemm": (node("QGemm", "x", "s", "z", "w", "ws", "wz", "", "t", "u", "y"), [1, 3], [1, 2]),
    "add": (node("QLinearAdd", "x", "s", "z", "x", "s", "z", "t", "u", "y"), [1, 3], [1, 3]),
    "sigmoid": (node("QLinearSigmoid", "x", "s", "z", "t", "u", "y"), [1, 3], [1, 3]),
    "concat": (node("QLinearConcat", "t", "u", "x", "s", "z", "x", "s", "z", "y", axis=1), [1, 3], [1, 6]),
}


@pytest.mark.parametrize("name", INTEGER)
def test_ends_of_operators_on_integers_have_their_scales(name: str, tmp_path: Path) -> None:
    operator, x, y = INTEGER[name]
    artifact = open_artifact(saved(tmp_path / "net.onnx", [operator], (U8, x), (U8, y)))
    assert (artifact.inputs[0].quantization, artifact.outputs[0].quantization) == (X, Y)
    weights = {"w": 1, "k": 0}
    for tensor in read_graph(tmp_path / "net.onnx").tensors:
        if tensor.name in weights:
            assert tensor.quantization is not None
            assert tensor.quantization.spread(len(tensor.shape))[weights[tensor.name]] == 2


def test_what_moves_numbers_keeps_their_scale_at_the_network_s_ends(tmp_path: Path) -> None:
    """As exporters write pixels with channels last, and outputs as rows: fed and judged by their real numbers."""
    nodes = [
        node("Transpose", "x", "moved", perm=[1, 0]), node("DequantizeLinear", "moved", "s", "z", "real"),
        node("Relu", "real", "r"), node("QuantizeLinear", "r", "t", "n", "q"), node("Reshape", "q", "shape", "y"),
    ]  # fmt: skip
    path = saved(tmp_path / "net.onnx", nodes, (U8, [2, 1]), (I8, [1, 2]))
    artifact = open_artifact(path)
    assert artifact.inputs[0].quantization == X
    assert artifact.outputs[0].quantization == Quantization((0.25,), (-7,))
    import onnxruntime

    real = np.array([[1.5], [-1.0]], np.float32)
    (out,) = onnxruntime.InferenceSession(path).run(None, {"x": quantize_input(real, artifact.inputs[0])})
    assert dequantize(out, artifact.outputs[0]).tolist() == [[1.5, 0.0]]


def test_one_that_is_moved_to_two_scales_has_none_that_can_be_taken_for_the_whole(tmp_path: Path) -> None:
    nodes = [
        node("Identity", "x", "a"), node("DequantizeLinear", "a", "s", "z", "first"),
        node("Identity", "x", "b"), node("DequantizeLinear", "b", "t", "z", "second"),
        node("Add", "first", "second", "y"),
    ]  # fmt: skip
    graph = read_graph(saved(tmp_path / "net.onnx", nodes, (U8, [1, 2]), (F32, [1, 2])))
    (x,) = (tensor.quantization for tensor in graph.tensors if tensor.name == "x")
    assert x is not None
    assert sorted(x.scales) == [0.25, 0.5]


def test_a_scale_that_is_written_as_a_number_is_a_constant(tmp_path: Path) -> None:
    constants = [helper.make_node("Constant", [], ["half"], value_float=0.5)]
    nodes = [*constants, node("QuantizeLinear", "x", "half", "y")]
    graph = read_graph(saved(tmp_path / "net.onnx", nodes, (F32, [1, 2]), (U8, [1, 2])))
    by_name = {tensor.name: tensor for tensor in graph.tensors}
    assert by_name["y"].quantization == Quantization((0.5,), (0,))
    assert (by_name["half"].constant, by_name["half"].dtype, by_name["half"].shape) == (True, "float32", ())
    assert [operator.op for operator in graph.operators] == ["QuantizeLinear"]
