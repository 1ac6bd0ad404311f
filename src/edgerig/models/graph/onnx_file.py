"""ONNX files, read with the onnx package and its shape inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Quantization
from edgerig.bounded import isolated
from edgerig.errors import ModelError
from edgerig.models.graph.onnx_load import corrupt, load_onnx
from edgerig.models.graph.onnx_scales import quantizations
from edgerig.models.graph.onnx_shapes import FreeAxes, fix_free_axes, inferred, type_text
from edgerig.models.graph.types import Graph, Operator, Tensor

#: ONNX type names that differ from numpy's.
TYPES = {"float": "float32", "double": "float64", "float8e4m3fn": "float8_e4m3fn", "float8e5m2": "float8_e5m2"}

#: Attributes are for display: longer lists are reported by their length only.
LONGEST_OPTION = 64


def read_onnx(data: bytes, path: Path) -> Graph:
    """The main graph of the ONNX file ``path`` with the content ``data``, shapes inferred.

    Free dimensions of the inputs are set to 1 and listed in the metadata as ``free_dimensions``. Inference runs in a
    bounded process where there is one (`edgerig.bounded`): a file of 3 kB whose functions call one another twice, or
    which computes shapes, can make it run endlessly or take all memory.

    Raises:
        MissingExtraError: The onnx package is not installed.
        ModelError: It is not a valid ONNX model, or inferring its shapes exceeds the bounds.
    """
    return isolated(f"Reading {path.name}", ModelError, _read_onnx, data, path)


def _read_onnx(data: bytes, path: Path) -> Graph:
    model = load_onnx(data, path)
    free = fix_free_axes(model.graph)
    try:
        return _Reader(inferred(model), free).graph()
    except ModelError:
        raise
    except Exception as error:
        raise corrupt(path, error) from error


def read_onnx_weights(data: bytes, path: Path) -> dict[int, NDArray[Any]]:
    """The constants of the main graph by tensor index of `read_onnx`.

    Raises:
        MissingExtraError: The onnx package is not installed.
        ModelError: It is not a valid ONNX model.
    """
    model = load_onnx(data, path)
    from onnx import numpy_helper

    try:
        reader = _Reader(model, {})
        return {reader.index(name): numpy_helper.to_array(proto) for name, proto in reader.constants.items()}
    except Exception as error:
        raise corrupt(path, error) from error


class _Reader:
    """Maps names of ONNX values to tensor indices: inputs, then constants, then results in execution order."""

    def __init__(self, model: Any, free: FreeAxes) -> None:
        from onnx import TensorProto

        self.model, self.source, self.free = model, model.graph, free
        self.type_names = {number: name.lower() for name, number in TensorProto.DataType.items()}
        self.constants = {proto.name: proto for proto in self.source.initializer}
        self.values = {
            value.name: value for group in ("value_info", "output", "input") for value in getattr(self.source, group)
        }
        # A Constant node is treated as an initializer, so that the graph shows only what is computed.
        self.nodes = []
        for node in self.source.node:
            value = _stored(node) if node.op_type == "Constant" else None
            if value is not None:
                self.constants[node.output[0]] = value
            else:
                self.nodes.append(node)
        names = [value.name for value in self.source.input]
        names += list(self.constants)
        for node in self.nodes:
            names += [*node.output, *node.input]
        names += [value.name for value in self.source.output]
        self.indices = {name: index for index, name in enumerate(dict.fromkeys(filter(None, names)))}

    def index(self, name: str) -> int:
        return self.indices[name] if name else -1

    def graph(self) -> Graph:
        quantization = quantizations(self.nodes, self.constants)
        operators = tuple(self.operator(index, node) for index, node in enumerate(self.nodes))
        inputs = [value.name for value in self.source.input if value.name not in self.constants]
        if not self.source.output:
            raise ModelError("The ONNX graph has no output.")
        versions = ", ".join(f"{item.domain or 'ai.onnx'} {item.version}" for item in self.model.opset_import)
        metadata = {"opsets": versions, "producer": self.model.producer_name}
        if self.free:
            axes = [f"{name}[{axis}]" for name, free in self.free.items() for axis in free]
            metadata["free_dimensions"] = ", ".join(axes)
        return Graph(
            name=self.source.name or "main",
            format="onnx",
            tensors=tuple(self.tensor(name, quantization.get(name)) for name in self.indices),
            operators=operators,
            inputs=tuple(map(self.index, inputs)),
            outputs=tuple(self.index(value.name) for value in self.source.output),
            metadata=metadata,
        )

    def tensor(self, name: str, quantization: Quantization | None) -> Tensor:
        proto = self.constants.get(name)
        if proto is not None:
            shape: tuple[int, ...] | None = tuple(proto.dims)
            dtype = self.type_names[proto.data_type]
        else:
            shape, dtype = self.stated(name)
        known = shape is not None and -1 not in shape
        return Tensor(
            index=self.index(name),
            name=name,
            shape=shape if shape and known else (),
            dtype=TYPES.get(dtype, dtype),
            quantization=quantization,
            constant=proto is not None,
            unknown_shape=not known,
            known_axes=None if known else shape,
            free_axes=self.free.get(name, ()),
        )

    def stated(self, name: str) -> tuple[tuple[int, ...] | None, str]:
        """Shape, with -1 for unknown axes, and type of a value; a value that is no tensor has its type in words."""
        value = self.values.get(name)
        if value is None:
            return None, "variant"
        if not value.type.HasField("tensor_type"):
            return None, type_text(value.type) or "variant"
        tensor = value.type.tensor_type
        dtype = self.type_names[tensor.elem_type] if tensor.elem_type else "variant"
        if not tensor.HasField("shape"):
            return None, dtype
        return tuple(item.dim_value if item.HasField("dim_value") else -1 for item in tensor.shape.dim), dtype

    def operator(self, index: int, node: Any) -> Operator:
        from onnx import helper

        options = {item.name: _plain(helper.get_attribute_value(item)) for item in node.attribute}
        domain = f"{node.domain}." if node.domain not in ("", "ai.onnx") else ""
        return Operator(
            index=index,
            op=domain + node.op_type,
            name=node.name or next(iter(node.output), node.op_type),
            inputs=tuple(map(self.index, node.input)),
            outputs=tuple(map(self.index, node.output)),
            options=options,
        )


def _stored(node: Any) -> Any:
    """The tensor of a Constant node, also where it is written as a number or a list; None of texts and sparse ones."""
    from onnx import helper, numpy_helper

    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    for item in node.attribute:
        if item.name == "value":
            return item.t
        if item.name in types:
            return numpy_helper.from_array(np.array(helper.get_attribute_value(item), types[item.name]))
    return None


def _plain(value: Any) -> Any:
    """An attribute as plain Python: text for bytes, a placeholder for tensors, graphs and long lists."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, int | float | str):
        return value
    if type(value).__name__.endswith("Proto"):
        return f"<{type(value).__name__}>"
    items = list(value)
    return [_plain(item) for item in items] if len(items) <= LONGEST_OPTION else f"<{len(items)} values>"
