"""Inputs and outputs of a network as OpenVINO has read it."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.errors import InferenceError
from edgerig.tensors import Quantization, TensorSpec

#: Types of tensors that numpy has, too.
_NUMERIC = frozenset(
    {
        "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
        "uint64",
    }
)  # fmt: skip


def input_spec(port: Any) -> TensorSpec:
    """An input of a model.

    Raises:
        InferenceError: It is no dense tensor of numbers, or an axis behind the first is free.
    """
    name = port.get_node().get_friendly_name()
    shape = port.partial_shape
    if not shape.is_static:
        raise InferenceError(
            f"Input {name!r} has the shape {shape}: only the batch axis may be free.",
            f"Say the shape to run: --shape {name}=1,... with a number for each axis.",
        )
    return TensorSpec(
        name=name,
        shape=tuple(int(size) for size in shape.to_shape()),
        dtype=_dtype(port, f"Input {name!r}"),
        quantization=_of_input(port),
    )


def output_spec(port: Any) -> TensorSpec:
    """An output of a model, -1 for axes that only the engine knows.

    Raises:
        InferenceError: It is no dense tensor of numbers.
    """
    names = sorted(port.get_names())
    name = names[0] if names else port.get_node().input(0).get_source_output().get_node().get_friendly_name()
    shape = port.partial_shape
    sizes = (-1,) if shape.rank.is_dynamic else tuple(s.get_length() if s.is_static else -1 for s in shape)
    return TensorSpec(name=name, shape=sizes, dtype=_dtype(port, f"Output {name!r}"), quantization=_of_output(port))


def _dtype(port: Any, what: str) -> str:
    kind = port.element_type
    try:
        name = str(np.dtype(kind.to_dtype()).name)
    except Exception:
        name = ""
    if name not in _NUMERIC or kind.get_type_name() == "bf16":
        raise InferenceError(
            f"{what} is a tensor of {kind.get_type_name()}, which edgerig does not feed.",
            "Cut the network so that its inputs and outputs are dense tensors of numbers.",
        )
    return name


def _of_input(port: Any) -> Quantization | None:
    """The quantization of an integer input of a TFLite file, which OpenVINO keeps as Convert and FakeQuantize."""
    for target in port.get_target_inputs():
        node = target.get_node()
        if node.get_type_name() != "Convert":
            continue
        for consumer in node.output(0).get_target_inputs():
            fake = consumer.get_node()
            if fake.get_type_name() == "FakeQuantize":
                return _quantization(fake, port, integers=(1, 2), reals=(3, 4))
    return None


def _of_output(port: Any) -> Quantization | None:
    """The same of an output: FakeQuantize onto the integers, then Convert."""
    node = port.get_node().input(0).get_source_output().get_node()
    if node.get_type_name() != "Convert":
        return None
    source = node.input(0).get_source_output().get_node()
    if source.get_type_name() != "FakeQuantize":
        return None
    return _quantization(source, port, integers=(3, 4), reals=(1, 2))


def _quantization(node: Any, port: Any, *, integers: tuple[int, int], reals: tuple[int, int]) -> Quantization | None:
    """Scale and zero point of a FakeQuantize between the integers of ``port`` and reals: real = scale (q - zero)."""
    kind = np.dtype(port.element_type.to_dtype())
    if kind.kind not in "iu":
        return None
    lowest, highest = (_scalar(node, index) for index in integers)
    low, high = (_scalar(node, index) for index in reals)
    if lowest is None or highest is None or low is None or high is None or not highest > lowest or not high > low:
        return None
    # Of float32 ends: the scale is as exact as one float32 is.
    scale = float(np.float32((high - low) / (highest - lowest)))
    return Quantization(scales=(scale,), zero_points=(round(lowest - low / scale),))


def _scalar(node: Any, index: int) -> float | None:
    """The value of a constant input that holds a single number."""
    source = node.input(index).get_source_output().get_node()
    if source.get_type_name() != "Constant":
        return None
    values = np.asarray(source.data).reshape(-1)
    return float(values[0]) if values.size == 1 else None
