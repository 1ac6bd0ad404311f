"""Networks of several inputs and outputs, each of another shape or type, so that an exchange of two shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.testing.networks import _TfliteNetwork, dense_weights

Array = NDArray[Any]

#: Features of the inputs ``left`` and ``right``, and values of the outputs of `two_in_three_out_tflite`.
LEFT, RIGHT = 8, 6
OUTPUTS = {"first": (LEFT, 4), "second": (RIGHT, 3), "third": (LEFT, 2)}
#: Scale and zero point of each input and output of the int8 variant: all different.
SCALES = {"left": (0.02, -3), "right": (0.05, 7), "first": (0.06, 4), "second": (0.1, -9), "third": (0.04, 0)}
WEIGHT_SCALE = 0.01
#: Rows and columns of the table of `integers_onnx`.
TABLE = (10, 4)


def two_in_three_out_tflite(path: Path, *, int8: bool = False, batch: int = 1) -> Path:
    """A TFLite network of the inputs ``left`` (batch, 8) and ``right`` (batch, 6), and of three dense layers.

    The outputs ``first`` (batch, 4) and ``third`` (batch, 2) come of ``left``, ``second`` (batch, 3) of ``right``. With
    ``int8`` each has a scale and zero point of its own, see `SCALES`.
    """
    from ai_edge_litert import schema_py_generated as schema

    kinds = schema.TensorType
    kind = kinds.INT8 if int8 else kinds.FLOAT32
    net = _TfliteNetwork(schema)
    sizes = {"left": LEFT, "right": RIGHT}
    scales: Mapping[str, tuple[float, int] | None] = SCALES if int8 else dict.fromkeys(SCALES)
    inputs = {name: net.tensor(name, (batch, size), kind, quantization=scales[name]) for name, size in sizes.items()}
    outputs = []
    for seed, (name, (features, values)) in enumerate(OUTPUTS.items()):
        source = "left" if features == LEFT else "right"
        weights, bias = dense_weights(features, values, seed)
        if int8:
            bias_scale = SCALES[source][0] * WEIGHT_SCALE
            whole = np.clip(np.round(weights / WEIGHT_SCALE), -127, 127).astype(np.int8)
            w = net.tensor(f"{name}/w", weights.shape, kind, whole, (WEIGHT_SCALE, 0))
            b = net.tensor(
                f"{name}/b", bias.shape, kinds.INT32, np.round(bias / bias_scale).astype(np.int32), (bias_scale, 0)
            )
        else:
            w = net.tensor(f"{name}/w", weights.shape, kind, weights)
            b = net.tensor(f"{name}/b", bias.shape, kind, bias)
        y = net.tensor(name, (batch, values), kind, quantization=scales[name])
        net.fully_connected([inputs[source], w, b], y, version=4 if int8 else 1)
        outputs.append(y)
    return net.write(path, list(inputs.values()), outputs)


def two_in_three_out(left: Array, right: Array) -> list[Array]:
    """The outputs of `two_in_three_out_tflite` for real inputs (n, 8) and (n, 6), in float64."""
    results = []
    for seed, (features, values) in enumerate(OUTPUTS.values()):
        weights, bias = dense_weights(features, values, seed)
        x = left if features == LEFT else right
        results.append(x.astype(np.float64) @ weights.T.astype(np.float64) + bias)
    return results


def integers_onnx(path: Path, batch: int | str = 1) -> Path:
    """An ONNX network of ``ids`` int64 (batch, 5), rows of a table of 10, and ``flags`` bool (batch, 4).

    Outputs: ``words`` float32 (batch, 5, 4), the rows; ``chosen`` float32 (batch, 4), the first of them where a flag is
    set and -1 elsewhere; ``unset`` bool (batch, 4), the flags inverted.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    table = integers_table()

    def tensor(name: str, kind: int, shape: Sequence[int | str]) -> Any:
        return helper.make_tensor_value_info(name, kind, [batch, *shape])

    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"], axis=0),
        helper.make_node("Gather", ["words", "zero"], ["start"], axis=1),
        helper.make_node("Where", ["flags", "start", "minus"], ["chosen"]),
        helper.make_node("Not", ["flags"], ["unset"]),
    ]
    constants = {"table": table, "zero": np.array(0, np.int64), "minus": np.array(-1, np.float32)}
    graph = helper.make_graph(
        nodes,
        "integers",
        [tensor("ids", TensorProto.INT64, [5]), tensor("flags", TensorProto.BOOL, [TABLE[1]])],
        [
            tensor("words", TensorProto.FLOAT, [5, TABLE[1]]),
            tensor("chosen", TensorProto.FLOAT, [TABLE[1]]),
            tensor("unset", TensorProto.BOOL, [TABLE[1]]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


def integers_table() -> Array:
    """The table of `integers_onnx`, float32."""
    return np.random.default_rng(5).normal(size=TABLE).astype(np.float32)


def two_in_three_out_onnx(path: Path) -> Path:
    """The float network of `two_in_three_out_tflite` as ONNX."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []
    for seed, (name, (features, values)) in enumerate(OUTPUTS.items()):
        source = "left" if features == LEFT else "right"
        nodes.append(helper.make_node("Gemm", [source, f"{name}/w", f"{name}/b"], [name], transB=1))
        arrays = dense_weights(features, values, seed)
        constants += [numpy_helper.from_array(array, f"{name}/{end}") for array, end in zip(arrays, "wb", strict=True)]
    sizes = {"left": LEFT, "right": RIGHT}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in sizes.items()]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, values]) for name, (_, values) in OUTPUTS.items()
    ]
    graph = helper.make_graph(nodes, "several", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path
