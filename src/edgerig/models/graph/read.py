"""Model files to graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, TensorSpec, format_of
from edgerig.bounded import isolated
from edgerig.errors import ModelError
from edgerig.external_data import self_contained
from edgerig.models.graph.types import Graph, check_shape


def read_graph(path: Path) -> Graph:
    """The graph of a .tflite, .onnx or .keras file.

    Tensors have the shapes that the file states; ONNX shapes are inferred, with 1 for a free batch axis.

    Raises:
        ModelError: The file is missing, corrupt, or none of these.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    graph = _read(path)
    for tensor in graph.tensors:
        check_shape(path.name, f"the tensor {tensor.name!r}", tensor.shape)
    return graph


def _read(path: Path) -> Graph:
    format = format_of(path)
    if format == "onnx":
        # By its path, not its content: that would be in memory of both processes.
        return isolated(f"Reading {path.name}", ModelError, _read_onnx_file, path)
    data = read_file(path)
    if format == "tflite":
        from edgerig.models.graph.tflite_file import read_tflite

        return read_tflite(data, path.name)
    from edgerig.models.graph.keras_file import read_keras

    return read_keras(data, path)


def _read_onnx_file(path: Path) -> Graph:
    from edgerig.models.graph.onnx_file import read_onnx

    return read_onnx(read_file(path), path)


def read_weights(path: Path) -> dict[int, NDArray[Any]]:
    """The content of the constant tensors of a .tflite or .onnx file, by tensor index of `read_graph`.

    Arrays have the tensors' shapes and dtypes; int4 and int2 come unpacked as int8.

    Raises:
        ModelError: The file is missing, corrupt, or of another format.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    format = format_of(path)
    data = read_file(path)
    if format == "tflite":
        from edgerig.models.graph.tflite_file import read_tflite_weights

        return read_tflite_weights(data, path.name)
    if format == "onnx":
        from edgerig.models.graph.onnx_file import read_onnx_weights

        return read_onnx_weights(data, path)
    raise ModelError(f"{path.name}: weights are read from .tflite and .onnx files only.", "Convert it to TFLite first.")


def read_file(path: Path) -> bytes:
    """The content of a model file, with the weights that an ONNX file keeps in files beside it.

    Raises:
        ModelError: It is missing, empty or cannot be read, or its external data cannot.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}.", "Is the path right?") from error
    if not data:
        raise ModelError(f"{path} is empty.", "Make or fetch it again.")
    return self_contained(data, path) if path.suffix.lower() == ".onnx" else data


def io_specs(graph: Graph) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a graph as they stand in an artifact.

    An axis of an ONNX file that only the engine knows, or that the file leaves free, is -1; a free first axis of an
    input is a batch of 1. Outputs that are no tensors of numbers are left out, see `left_out`.

    Raises:
        ModelError: An input has a type that no runtime of ours feeds, or no output one that they read.
    """

    def spec(index: int) -> TensorSpec:
        tensor = graph.tensors[index]
        shape = tensor.shape
        if tensor.unknown_shape:
            if graph.format != "onnx":
                raise ModelError(f"The shape of {tensor.name!r} is not known.", "Export the model with fixed shapes.")
            shape = (-1,) if tensor.known_axes is None else tensor.known_axes
        free = [axis for axis in tensor.free_axes if axis]
        return TensorSpec(
            tensor.name, tuple(-1 if axis in free else size for axis, size in enumerate(shape)), tensor.dtype,
            tensor.quantization,
        )  # fmt: skip

    for index in graph.inputs:
        if not _numeric(graph, index):
            tensor = graph.tensors[index]
            raise ModelError(
                f"The input {tensor.name!r} is a {tensor.dtype}, which edgerig cannot feed.",
                "Cut the network so that its inputs are tensors of numbers.",
            )
    outputs = [index for index in graph.outputs if _numeric(graph, index)]
    if graph.outputs and not outputs:
        raise ModelError(
            f"None of the outputs is a tensor of numbers: {', '.join(left_out(graph))}.",
            "Cut the network before them: a classifier of scikit-learn is exported with the option zipmap=False.",
        )
    return tuple(map(spec, graph.inputs)), tuple(map(spec, outputs))


def left_out(graph: Graph) -> tuple[str, ...]:
    """The outputs that are no tensors of numbers, each with its type: they are neither read nor compared."""
    tensors = [graph.tensors[index] for index in graph.outputs if not _numeric(graph, index)]
    return tuple(f"{tensor.name}: {tensor.dtype}" for tensor in tensors)


def _numeric(graph: Graph, index: int) -> bool:
    return graph.tensors[index].dtype in ITEM_SIZES
