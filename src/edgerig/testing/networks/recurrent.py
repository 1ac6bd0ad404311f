"""Networks that hand out their state and take it again: a running sum, as a file of each format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgerig.testing.networks.onnx_networks import save_onnx
from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: Scales of the int8 network: 1 for what is summed, half as much for the scores.
SCALE = 1.0


def running_sum_tflite(path: Path, *, int8: bool = False, other_scale: bool = False) -> Path:
    """``next = before + x`` and ``score = 2 next`` of four values, in float32 or int8.

    Args:
        path: Of the file. int8: Whether its tensors are int8, with the zero point 3.
        other_scale: Whether the state comes out by another scale than it goes in.
    """
    net, dtype = TfliteBuilder(), "int8" if int8 else "float32"

    def tensor(name: str, scale: float = SCALE, data: float | None = None) -> int:
        content = None if data is None else np.full((1, 4), data)
        return net.tensor(name, (1, 4), dtype, content, *((scale, 0 if data else 3) if int8 else ()))

    x, before = tensor("x"), tensor("before")
    after = tensor("next", 2 * SCALE if other_scale else SCALE)
    two, score = tensor("two", data=2), tensor("score", 2 * SCALE)
    net.operator("ADD", [before, x], [after], "AddOptions")
    net.operator("MUL", [after, two], [score], "MulOptions")
    path.write_bytes(net.build([x, before], [after, score]))
    return path


def running_sum_keras(path: Path) -> Path:
    """The same as `running_sum_tflite`, in float32, as a Keras file."""
    from edgerig.models.keras.base import import_keras

    keras = import_keras()
    x, before = (keras.Input((4,), name=name) for name in ("x", "before"))
    after = keras.layers.Add(name="next")([before, x])
    score = keras.layers.Rescaling(2.0, name="score")(after)
    keras.Model([x, before], [after, score]).save(path)
    return path


def running_sum_onnx(path: Path) -> Path:
    """The same as `running_sum_tflite`, in float32, with a batch axis that the file leaves free."""
    from onnx import TensorProto, helper

    def value(name: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4])

    two = helper.make_tensor("two", TensorProto.FLOAT, [1, 4], [2.0] * 4)
    nodes = [helper.make_node("Add", ["before", "x"], ["next"]), helper.make_node("Mul", ["next", "two"], ["score"])]
    graph = helper.make_graph(
        nodes, "sum", [value("x"), value("before")], [value("next"), value("score")], initializer=[two]
    )
    return save_onnx(path, graph, {"": 17}, 8, "edgerig")
