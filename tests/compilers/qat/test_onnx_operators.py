"""Each ONNX operator as it is trained computes in real numbers what ONNX Runtime computes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.compilers.qat.onnx_operators import RULES
from edgerig.models.graph.types import Operator

RNG = np.random.default_rng(0)


def real(*shape: int) -> NDArray[np.float32]:
    return RNG.normal(0, 2, shape).astype(np.float32)


def whole(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


class Case(NamedTuple):
    """An operator, its further inputs, its attributes; the first input is an image unless given."""

    op: str
    others: tuple[Any, ...] = ()
    options: dict[str, Any] = {}  # noqa: RUF012
    first: tuple[int, ...] = (1, 4, 7, 6)


CASES = [
    Case("Conv", (real(6, 4, 3, 2), real(6)), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    Case("Conv", (real(6, 2, 3, 3),), {"group": 2, "dilations": [2, 1]}),
    Case("Conv", (real(4, 1, 3, 3), real(4)), {"group": 4, "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    Case("Conv", (real(5, 4, 3, 3),), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    Case("Conv", (real(5, 4, 2, 2),), {"auto_pad": "SAME_LOWER"}),
    Case("Conv", (real(5, 4, 3), real(5)), {"pads": [1, 1]}, (1, 4, 9)),
    Case("Gemm", (real(3, 5), real(3)), {"transB": 1, "alpha": 0.5, "beta": 2.0}, (1, 5)),
    Case("Gemm", (real(4, 3),), {"transA": 1}, (4, 2)),
    Case("MatMul", (real(5, 3),), {}, (1, 2, 5)),
    Case("MaxPool", (), {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [0, 1, 1, 0]}),
    Case("AveragePool", (), {"kernel_shape": [2, 3], "pads": [1, 0, 0, 1]}),
    Case("AveragePool", (), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    Case("GlobalAveragePool"),
    *(Case(op, (real(1, 4, 1, 6),)) for op in ("Add", "Sub", "Mul", "Div")),
    *(Case(op) for op in ("Relu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "LeakyRelu", "Identity")),
    Case("Clip", (np.float32(-0.5), np.float32(1.5))),
    Case("PRelu", (real(4, 1, 1),)),
    Case("Softmax", (), {"axis": 1}),
    Case("LogSoftmax"),
    Case("ReduceMean", (whole(2, 3),), {"keepdims": 0}),
    Case("ReduceMean"),
    Case("Reshape", (whole(0, -1, 3),)),
    Case("Flatten", (), {"axis": 2}),
    Case("Squeeze", (whole(0),)),
    Case("Unsqueeze", (whole(1, 3),), {}, (2, 3)),
    Case("Transpose", (), {"perm": [0, 2, 3, 1]}),
    Case("Transpose"),
    Case("Concat", (real(1, 2, 7, 6),), {"axis": 1}),
]


def test_every_rule_has_a_case() -> None:
    assert {case.op for case in CASES} == RULES.keys()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.op)
def test_it_agrees_with_onnx_runtime(case: Case) -> None:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    first = real(*case.first)
    constants = [numpy_helper.from_array(np.asarray(value), f"c{i}") for i, value in enumerate(case.others)]
    node = helper.make_node(case.op, ["x", *(constant.name for constant in constants)], ["y"], **case.options)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", case.first), ("y", None))
    ]
    graph = helper.make_graph([node], "net", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (wanted,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": first})
    operator = Operator(index=0, op=case.op, name="n", inputs=(0,), outputs=(1,), options=case.options)
    got = RULES[case.op](operator, [first, *case.others], wanted.shape)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=1e-4, atol=1e-4)
