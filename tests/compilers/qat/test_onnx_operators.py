"""Each operator of ONNX as it is trained computes what ONNX Runtime computes, and has a gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edgerig.compilers.qat.onnx_network import OnnxNetwork
from edgerig.compilers.qat.onnx_operators import RULES
from edgerig.errors import CompileError
from edgerig.models.graph.onnx_file import read_onnx, read_onnx_weights

X = (1, 4, 9, 10)
POSITIVE = np.linspace(0.5, 3, 12, dtype=np.float32).reshape(1, 3, 4)
WINDOW = {"kernel_shape": [3, 3]}
POOLS: list[dict[str, Any]] = [
    {}, {"pads": [1, 0, 1, 1]}, {"strides": [2, 3]}, {"strides": [2, 2], "ceil_mode": 1},
    {"strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 0, 1]}, {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"auto_pad": "SAME_LOWER"}, {"auto_pad": "VALID"},
]  # fmt: skip
#: Operator, shapes or values of its inputs, of which the first is data and the rest are constants, and options.
CASES: list[tuple[str, list[Any], dict[str, Any]]] = [
    *(("MaxPool", [X], WINDOW | pool) for pool in POOLS),
    *(("AveragePool", [X], WINDOW | pool | {"count_include_pad": own}) for pool in POOLS for own in (0, 1)),
    ("Conv", [X, (6, 4, 3, 3), (6,)], {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    ("Conv", [X, (6, 2, 3, 3), (6,)], {"group": 2, "dilations": [2, 1]}),
    ("Conv", [X, (4, 1, 3, 3), (4,)], {"group": 4, "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("Conv", [X, (8, 1, 3, 3)], {"group": 4}),
    ("Conv", [(1, 4, 9), (6, 4, 3), (6,)], {"pads": [2, 0]}),
    ("Gemm", [(2, 3), (4, 3), (4,)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", [(3, 2), (3, 4)], {"transA": 1}),
    ("MatMul", [(1, 2, 3), (3, 4)], {}),
    *(("Flatten", [X], {"axis": axis}) for axis in (0, 1, 2, 4, -1)),
    *((name, [X], {"axis": axis}) for name in ("Softmax", "LogSoftmax") for axis in (1, -1)),
    ("ReduceMean", [X], {}),
    ("ReduceMean", [X, np.array([2, 3])], {"keepdims": 0}),
    ("ReduceMean", [X], {"noop_with_empty_axes": 1}),
    ("Squeeze", [(1, 4, 1, 3), np.array([2])], {}),
    ("Squeeze", [(1, 4, 1, 3)], {}),
    ("Unsqueeze", [(2, 3), np.array([0, 3])], {}),
    ("Clip", [X, np.float32(-1), np.float32(0.5)], {}),
    ("Clip", [X, np.float32(0.5)], {}),
    ("HardSigmoid", [X], {"alpha": 0.3, "beta": 0.1}),
    ("HardSwish", [X], {}),
    ("LeakyRelu", [X], {"alpha": 0.3}),
    ("PRelu", [X, (4, 1, 1)], {}),
    ("Transpose", [X], {}),
    ("Transpose", [X], {"perm": [0, 2, 3, 1]}),
    ("Concat", [X, (1, 2, 9, 10)], {"axis": 1}),
    ("Reshape", [X, np.array([0, -1, 5])], {}),
    ("GlobalAveragePool", [X], {}),
    ("Split", [X], {"axis": 1, "num_outputs": 2}),
    ("Split", [X], {"axis": -1, "num_outputs": 3}),
    ("Split", [X, np.array([1, 5, 3])], {"axis": 2}),
    ("Slice", [X, np.array([0, -3]), np.array([2**62, 9])], {}),
    ("Slice", [X, np.array([2, 8]), np.array([0, -(2**62)]), np.array([1, -1]), np.array([-1, -3])], {}),
    ("Slice", [X, np.array([-1]), np.array([-11]), np.array([3]), np.array([-1])], {}),
    ("Gather", [X, np.array([[0, -1], [2, 3]])], {"axis": 1}),
    ("Gather", [X, np.array(3)], {"axis": -1}),
    *((name, [X, (4, 1, 1)], {}) for name in ("Add", "Sub", "Mul", "Div")),
    *((name, [X], {}) for name in ("Relu", "Sigmoid", "Tanh", "Identity", "Abs", "Erf", "Exp", "Neg", "Softplus")),
    *((name, [POSITIVE], {}) for name in ("Sqrt", "Reciprocal")),
    ("Pow", [X, np.float32(2)], {}),
    ("Pow", [POSITIVE, np.float32(-0.5)], {}),
    *(("Gelu", [X], {"approximate": own}) for own in ("none", "tanh")),
    ("LayerNormalization", [X, (10,), (10,)], {}),
    ("LayerNormalization", [X, (9, 10)], {"axis": 2, "epsilon": 0.1}),
    ("InstanceNormalization", [X, (4,), (4,)], {"epsilon": 0.01}),
]


def network(op: str, inputs: list[NDArray[Any]], options: dict[str, Any], outputs: int = 1) -> bytes:
    names = [f"input{i}" for i in range(len(inputs))]
    names_out = [f"output{i}" if i else "output" for i in range(outputs)]
    node = helper.make_node(op, names, names_out, "node", **options)
    ends = [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, inputs[0].shape)]
    constants = [onnx.numpy_helper.from_array(value, name) for value, name in zip(inputs[1:], names[1:], strict=True)]
    out = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names_out]
    graph = helper.make_graph([node], "net", ends, out, constants)
    opset = 20 if op == "Gelu" else 18
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(onnx.shape_inference.infer_shapes(model).SerializeToString())


@pytest.mark.slow
@pytest.mark.parametrize(("op", "inputs", "options"), CASES)
def test_it_agrees_with_onnx_runtime(op: str, inputs: list[Any], options: dict[str, Any]) -> None:
    import jax
    import onnxruntime

    rng = np.random.default_rng(0)
    values = [rng.normal(size=one).astype(np.float32) if isinstance(one, tuple) else one for one in inputs]
    count = options.get("num_outputs", values[1].size if len(values) > 1 else 1) if op == "Split" else 1
    data = network(op, [np.asarray(value) for value in values], options, count)
    wanted = onnxruntime.InferenceSession(data).run(None, {"input0": values[0]})
    graph, constants = read_onnx(data, Path("net.onnx")), read_onnx_weights(data, Path("net.onnx"))
    (operator,) = graph.operators

    def call(first: Any) -> Any:
        taken = {**constants, graph.inputs[0]: first}
        shape = graph.tensors[graph.outputs[0]].shape
        result = RULES[op](operator, [taken[index] for index in operator.inputs], shape)
        return result if isinstance(result, tuple) else (result,)

    def total(first: Any) -> Any:
        return sum(result.sum() for result in call(first))

    got, gradient = jax.jit(lambda x: (call(x), jax.grad(total)(x)))(values[0])
    assert [each.shape for each in got] == [each.shape for each in wanted]
    for each, right in zip(got, wanted, strict=True):
        np.testing.assert_allclose(each, right, rtol=1e-5, atol=1e-5)
    assert np.isfinite(gradient).all()


def test_dilated_maxima_are_refused_by_name() -> None:
    data = network("MaxPool", [np.zeros(X, np.float32)], WINDOW | {"dilations": [2, 2]})
    with pytest.raises(CompileError, match=r"operator 0 \('node'\) are dilated, which has no gradient"):
        OnnxNetwork(data, data, "net.onnx")


def test_sizes_that_are_computed_are_refused_by_name() -> None:
    node = helper.make_node("Slice", ["x", "start", "end"], ["y"], "cut")
    ends = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in (
        ("x", TensorProto.FLOAT, [4]), ("start", TensorProto.INT64, [1]), ("end", TensorProto.INT64, [1])
    )]  # fmt: skip
    graph = helper.make_graph([node], "net", ends, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])])
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8).SerializeToString()
    with pytest.raises(CompileError, match=r"\(Slice, 'cut'\) takes 'start', which is computed and not a constant"):
        OnnxNetwork(data, data, "net.onnx")


def test_every_rule_is_tried() -> None:
    assert {op for op, _, _ in CASES} == RULES.keys()
