"""ONNX networks in the form of QuantizeLinear and DequantizeLinear, wholly or in part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def _quantized_pair(name: str, source: str, result: str, zero: Any) -> list[Any]:
    """QuantizeLinear and DequantizeLinear, as they stand around an operator in a QDQ network."""
    from onnx import helper

    return [
        helper.make_node("QuantizeLinear", [source, "scale", zero], [f"{name}_q"]),
        helper.make_node("DequantizeLinear", [f"{name}_q", "scale", zero], [result]),
    ]


def qdq_network(path: Path, *, float_convolutions: int = 0) -> Path:
    """Three convolutions of 3x3, of which the last ``float_convolutions`` have no quantized activations around them.

    Input (1, 4, 9, 9), output (1, 4, 3, 3), both float32; needs onnx.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = (np.arange(9 * 4 * 4, dtype=np.int64) % 7 - 3).astype(np.int8).reshape(4, 4, 3, 3)
    nodes, source = [], "x"
    for index in range(3):
        quantized = index < 3 - float_convolutions
        weight = f"w{index}" if quantized else "plain"
        nodes += _quantized_pair(f"in{index}", source, f"a{index}", "zero") if quantized else []
        nodes += [helper.make_node("DequantizeLinear", ["w", "scale", "zero"], [weight])] if quantized else []
        nodes.append(helper.make_node("Conv", [f"a{index}" if quantized else source, weight], [f"c{index}"]))
        nodes += _quantized_pair(f"out{index}", f"c{index}", f"y{index}", "zero") if quantized else []
        source = f"y{index}" if quantized else f"c{index}"
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 9, 9])],
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, [1, 4, 3, 3])],
        [
            numpy_helper.from_array(np.array(0.05, np.float32), "scale"),
            numpy_helper.from_array(np.array(0, np.int8), "zero"),
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(weights.astype(np.float32), "plain"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path
