"""Shapes of an ONNX graph: axes that the file leaves free, and shape inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgerig.errors import IncompatibleError

#: Names of inputs, and their axes that the file leaves open.
FreeAxes = dict[str, tuple[int, ...]]


def fix_free_axes(graph: Any) -> FreeAxes:
    """Set the free axes of the inputs to 1, and those of the same name everywhere else; returns the axes."""
    constants = {proto.name for proto in graph.initializer}
    free: FreeAxes = {}
    names = set()
    for value in graph.input:
        if value.name in constants or not value.type.HasField("tensor_type"):
            continue
        axes = []
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if not dimension.HasField("dim_value") or dimension.dim_value < 0:
                axes.append(axis)
                names.add(dimension.dim_param)
                dimension.dim_value = 1
        if axes:
            free[value.name] = tuple(axes)
    if free:
        # Stated shapes within the graph were for the free axes; they are inferred again.
        del graph.value_info[:]
    for value in graph.output:
        if value.type.HasField("tensor_type"):
            _fix(value.type.tensor_type.shape, names - {""}, batch=any(0 in axes for axes in free.values()))
    return free


def _fix(shape: Any, names: set[str], batch: bool) -> None:
    """Set the axes of an output that have one of ``names`` to 1; with ``batch`` also a first axis without a name."""
    for axis, dimension in enumerate(shape.dim):
        if dimension.HasField("dim_value") and dimension.dim_value >= 0:
            continue
        name = dimension.dim_param
        if name in names or (axis == 0 and batch and not name):
            dimension.dim_value = 1
        else:
            dimension.ClearField("dim_value")


def inferred(model: Any) -> Any:
    """The model with the shapes that follow from its inputs; shapes that cannot be inferred stay unknown."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except Exception:
        # A model for which inference fails can still be listed; its shapes stay unknown.
        return model


def type_text(kind: Any) -> str | None:
    """The type of a value that is no tensor, as ONNX Runtime writes it: ``seq(map(int64,tensor(float)))``; or None."""
    which = kind.WhichOneof("value")
    if which == "sequence_type":
        return f"seq({_inner(kind.sequence_type.elem_type)})"
    if which == "map_type":
        return f"map({_element(kind.map_type.key_type)},{_inner(kind.map_type.value_type)})"
    if which == "optional_type":
        return f"optional({_inner(kind.optional_type.elem_type)})"
    if which == "sparse_tensor_type":
        return f"sparse_tensor({_element(kind.sparse_tensor_type.elem_type)})"
    return None


def _inner(kind: Any) -> str:
    return type_text(kind) or f"tensor({_element(kind.tensor_type.elem_type)})"


def _element(number: int) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(number)).lower() if number in TensorProto.DataType.values() else "?"


def with_shapes(data: bytes, shapes: Mapping[str, Sequence[int]], path: Path) -> bytes:
    """The ONNX file ``path`` with the content ``data``, whose inputs have the given ``shapes``, by name.

    Raises:
        IncompatibleError: A shape contradicts the file.
        ModelError: It is not a valid ONNX model.
    """
    from edgerig.models.graph.onnx_load import load_onnx

    model = load_onnx(data, path)
    sizes: dict[str, int] = {}
    batches = set()
    for value in model.graph.input:
        if value.name in shapes:
            batches.add(shapes[value.name][0] if shapes[value.name] else 1)
            _set(value, shapes[value.name], sizes)
    # Stated shapes within the graph were for the free axes.
    del model.graph.value_info[:]
    for value in model.graph.output:
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value") and dimension.dim_value >= 0:
                continue
            if dimension.dim_param in sizes:
                dimension.dim_value = sizes[dimension.dim_param]
            elif axis == 0 and not dimension.dim_param and len(batches) == 1:
                # A first axis without a name is the batch, as in the inputs.
                dimension.dim_value = next(iter(batches))
    return bytes(model.SerializeToString(deterministic=True))


def _set(value: Any, shape: Sequence[int], sizes: dict[str, int]) -> None:
    """Give an input its shape; ``sizes`` collects those of named axes."""
    tensor = value.type.tensor_type
    stated = [d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in tensor.shape.dim]
    known = tensor.HasField("shape")
    fits = not known or (len(stated) == len(shape) and all(a in (None, b) for a, b in zip(stated, shape, strict=True)))
    if not fits or any(size < 1 for size in shape):
        stated_axes = [
            size if size is not None else d.dim_param or "?" for size, d in zip(stated, tensor.shape.dim, strict=True)
        ]
        raise IncompatibleError(
            f"The shape {list(shape)} does not fit the input {value.name!r}, which the file says to be "
            f"[{', '.join(map(str, stated_axes))}].",
            "Give a number of 1 or more for each axis, and those that are fixed as they are.",
        )
    names = [dimension.dim_param for dimension in tensor.shape.dim] if known else [""] * len(shape)
    del tensor.shape.dim[:]
    for name, size in zip(names, shape, strict=True):
        if name and sizes.setdefault(name, size) != size:
            raise IncompatibleError(
                f"The axis {name!r} would be both {sizes[name]} and {size}.", "Axes of one name have one size."
            )
        tensor.shape.dim.add(dim_value=size)
