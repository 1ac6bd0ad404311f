"""Model files to graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, TensorSpec
from edgerig.bounded import isolated
from edgerig.errors import ModelError
from edgerig.formats import Format, format_of, named
from edgerig.models.graph.types import Graph, check_shape

#: Numbers that numpy does not have begin so.
_SMALL = ("bfloat16", "float8", "float4", "int4", "uint4", "int2", "uint2")


def read_graph(path: Path) -> Graph:
    """The graph of a model file.

    Tensors have the shapes that the file states; ONNX shapes are inferred, with 1 for a free batch axis.

    Raises:
        ModelError: The file is missing, corrupt, or of a format whose operators cannot be read.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    format = format_of(path)
    graph = graph_in(format, path)
    if graph is None:
        raise ModelError(
            f"{path.name}: the operators of the format {format.name!r} cannot be read.",
            "Its plugin gives them by the hook _graph (docs/plugins/format.md).",
        )
    return graph


def graph_in(format: Format, path: Path) -> Graph | None:
    """As `read_graph`, of a file of a known format; None where this format does not give its operators."""
    if format.isolated:
        # By its path and not its content, which would be in the memory of both processes.
        graph = isolated(f"Reading {path.name}", ModelError, _graph, type(format), path)
    else:
        graph = _graph(type(format), path)
    for tensor in graph.tensors if graph is not None else ():
        check_shape(path.name, f"the tensor {tensor.name!r}", tensor.shape)
    return graph


def _graph(format: type[Format], path: Path) -> Graph | None:
    graph = format().graph(path)
    if graph is not None and not isinstance(graph, Graph):
        raise ModelError(f"{path.name}: _graph of the format {format.name!r} gave a {type(graph).__name__}.")
    return graph


def read_weights(path: Path) -> Mapping[int, NDArray[Any]]:
    """The content of the constant tensors of a .tflite or .onnx file, by tensor index of `read_graph`.

    Arrays have the tensors' shapes and dtypes; int4 and int2 come unpacked as int8.

    Raises:
        ModelError: The file is missing, corrupt, or of a format whose weights cannot be read.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    return format_of(path).weights(path)


def io_specs(graph: Graph, file: str = "the network") -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a graph as an artifact describes them; ``file`` is its name, for messages.

    An axis that only the engine knows, or that an ONNX file leaves free, is -1; a free first axis of an
    input is a batch of 1. Outputs that are no tensors of numbers are left out, see `left_out`.

    Raises:
        ModelError: An input has a type that no runtime accepts, or no output has one that can be read.
    """

    def spec(index: int) -> TensorSpec:
        tensor = graph.tensors[index]
        shape = tensor.shape
        if tensor.unknown_shape:
            if not named(graph.format).free_axes:
                raise ModelError(
                    f"{file}: the shape of {tensor.name!r} is not known.", "Export the model with fixed shapes."
                )
            shape = (-1,) if tensor.known_axes is None else tensor.known_axes
        free = [axis for axis in tensor.free_axes if axis]
        shape = tuple(-1 if axis in free else size for axis, size in enumerate(shape))
        return TensorSpec(tensor.name, shape, tensor.dtype, tensor.quantization)

    for index in graph.inputs:
        if not _numeric(graph, index):
            tensor = graph.tensors[index]
            raise ModelError(
                f"{file}: the input {tensor.name!r} is of type {tensor.dtype}, which edgerig cannot feed.",
                f"Export the network with a float32 input and a cast to {tensor.dtype} behind it."
                if tensor.dtype.startswith(_SMALL)
                else "Cut the network so that its inputs are tensors of numbers.",
            )
    outputs = [index for index in graph.outputs if _numeric(graph, index)]
    if graph.outputs and not outputs:
        raise ModelError(
            f"{file}: none of the outputs is a tensor of numbers that edgerig reads: {', '.join(left_out(graph))}.",
            "Put a cast to float32 behind them."
            if all(graph.tensors[index].dtype.startswith(_SMALL) for index in graph.outputs)
            else "Cut the network before them: a classifier of scikit-learn is exported with the option zipmap=False.",
        )
    return tuple(map(spec, graph.inputs)), tuple(map(spec, outputs))


def left_out(graph: Graph) -> tuple[str, ...]:
    """The outputs that are no tensors of numbers, each with its type: they are neither read nor compared."""
    tensors = [graph.tensors[index] for index in graph.outputs if not _numeric(graph, index)]
    return tuple(f"{tensor.name}: {tensor.dtype}" for tensor in tensors)


def _numeric(graph: Graph, index: int) -> bool:
    return graph.tensors[index].dtype in ITEM_SIZES
