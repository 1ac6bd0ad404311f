"""Shapes of an ONNX graph: axes that the file leaves free, and shape inference."""

from __future__ import annotations

from typing import Any

#: Names of inputs, and their axes that the file leaves open.
FreeAxes = dict[str, tuple[int, ...]]


def fix_free_axes(graph: Any) -> FreeAxes:
    """Set the free axes of the inputs to 1, and those of the same name everywhere else; returns which they were."""
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
        # Shapes within the graph that the file states were for the free axes; they are inferred afresh.
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
    """The model with the shapes that follow from its inputs; what cannot be inferred stays unknown."""
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except Exception:
        # A model too odd for inference can still be listed; its shapes stay unknown.
        return model


def type_text(kind: Any) -> str | None:
    """What is no tensor, in ONNX Runtime's words: ``seq(map(int64,tensor(float)))``; None for what is."""
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
