"""An ONNX file as the protobuf message of the onnx package, checked on loading."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edgerig.errors import MissingExtraError, ModelError
from edgerig.external_data import self_contained
from edgerig.models.graph.types import check_shape
from edgerig.text import cause_of

#: Sizes that exporters write for a free axis; any other negative size is a fault.
FREE = -1


def load_onnx(data: bytes, path: Path) -> Any:
    """The checked ``onnx.ModelProto`` of the file ``path`` with the content ``data``, its operators in order.

    Raises:
        MissingExtraError: The onnx package is not installed.
        ModelError: It is not a valid ONNX model; names the fault.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(f"Reading {path.name}", "onnx", "onnx") from error
    try:
        model = onnx.load_model_from_string(self_contained(data, path))
    except ModelError:
        raise
    except Exception as error:
        raise corrupt(path, error) from error
    _check_operator_sets(model, path)
    _check_sizes(model.graph, path)
    _put_in_order(model.graph, path)
    _check(model, path)
    return model


def corrupt(path: Path, error: Exception) -> ModelError:
    """The error for a file that the onnx package cannot read."""
    text = cause_of(error, 200)
    if "No Op registered for" in text or "No opset import for" in text:
        return ModelError(
            f"{path.name} has an operator that is not known: {text}",
            "Export the network with operators of the ONNX standard, in a version that the installed onnx package has.",
        )
    return ModelError(f"{path.name} is not a valid ONNX model: {text}", "Was it copied whole? Make or fetch it again.")


def _check_operator_sets(model: Any, path: Path) -> None:
    if not model.opset_import:
        raise ModelError(
            f"{path.name} does not say which version of the ONNX operators it uses: opset_import is empty.",
            "Was it copied whole? Export it again; every exporter writes the operator set.",
        )


def _check_sizes(graph: Any, path: Path) -> None:
    """Refuse shapes that no tensor can have."""
    constants = {proto.name for proto in graph.initializer}
    for proto in graph.initializer:
        check_shape(path.name, f"the constant {proto.name!r}", tuple(proto.dims))
    ends = [(value, "input") for value in graph.input if value.name not in constants]
    ends += [(value, "output") for value in graph.output]
    for value, what in [*ends, *((value, "tensor") for value in graph.value_info)]:
        if not value.type.HasField("tensor_type"):
            continue
        dimensions = value.type.tensor_type.shape.dim
        sizes = [item.dim_value if item.HasField("dim_value") else FREE for item in dimensions]
        known = tuple(size for size in sizes if size != FREE)
        check_shape(path.name, f"the {what} {value.name!r}", known, shown=tuple(sizes))
        if what != "tensor" and 0 in known:
            raise ModelError(
                f"{path.name}: the {what} {value.name!r} has the shape {sizes}: an axis of size 0 holds nothing.",
                "Export the network with the sizes that it is to run with.",
            )


def _put_in_order(graph: Any, path: Path) -> None:
    """Sort the operators topologically, as the standard demands."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    waits = [{makers[name] for name in _read_by(node) if name in makers} for node in graph.node]
    if all(before < index for index, befores in enumerate(waits) for before in befores):
        return
    readers: dict[int, list[int]] = {}
    for index, befores in enumerate(waits):
        for before in befores:
            readers.setdefault(before, []).append(index)
    left = [len(befores) for befores in waits]
    order = [index for index, count in enumerate(left) if not count]
    for index in order:
        for reader in readers.get(index, ()):
            left[reader] -= 1
            if not left[reader]:
                order.append(reader)
    if len(order) < len(graph.node):
        node = graph.node[min(set(range(len(graph.node))) - set(order))]
        raise ModelError(
            f"{path.name}: the operator {node.name or next(iter(node.output), '')!r} ({node.op_type}) needs its own "
            "result: the graph has a cycle.",
            "The file is damaged, or its exporter is at fault: export it again.",
        )
    nodes = [graph.node[index] for index in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _read_by(node: Any) -> Iterable[str]:
    """Names that an operator reads, including those read by its subgraphs."""
    yield from node.input
    for attribute in node.attribute:
        for inner in [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs:
            for item in inner.node:
                yield from _read_by(item)
            yield from (value.name for value in inner.output)


def _check(model: Any, path: Path) -> None:
    """The checks of the onnx package, except for outputs without a shape, which are no fault: the engine knows it."""
    import onnx

    ends = [*model.graph.input, *model.graph.output]
    shapeless = [v for v in ends if v.type.HasField("tensor_type") and not v.type.tensor_type.HasField("shape")]
    for value in shapeless:
        value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise corrupt(path, error) from error
    for value in shapeless:
        value.type.tensor_type.ClearField("shape")
