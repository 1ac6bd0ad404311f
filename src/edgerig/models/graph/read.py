"""Model files to graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, TensorSpec, format_of
from edgerig.errors import ModelError
from edgerig.models.graph.types import Graph


def read_graph(path: Path) -> Graph:
    """The graph of a .tflite, .onnx or .keras file.

    Tensors have the shapes that the file states; ONNX shapes are inferred, with 1 for a free batch axis.

    Raises:
        ModelError: The file is missing, corrupt, or none of these.
        MissingExtraError: Reading this format needs a package that is not installed.
    """
    format = format_of(path)
    data = read_file(path)
    if format == "tflite":
        from edgerig.models.graph.tflite_file import read_tflite

        return read_tflite(data, path.name)
    if format == "onnx":
        from edgerig.models.graph.onnx_file import read_onnx

        return read_onnx(data, path)
    from edgerig.models.graph.keras_file import read_keras

    return read_keras(data, path)


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
    """The content of a model file.

    Raises:
        ModelError: It is missing, empty or cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror}.", "Is the path right?") from error
    if not data:
        raise ModelError(f"{path} is empty.", "Make or fetch it again.")
    return data


def io_specs(graph: Graph) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Inputs and outputs of a graph as they stand in an artifact.

    Raises:
        ModelError: An input or output has no known shape, or a type that no runtime of ours feeds.
    """

    def spec(index: int) -> TensorSpec:
        tensor = graph.tensors[index]
        if tensor.unknown_shape:
            raise ModelError(f"The shape of {tensor.name!r} is not known.", "Export the model with fixed shapes.")
        if tensor.dtype not in ITEM_SIZES:
            raise ModelError(f"{tensor.name!r} has the type {tensor.dtype}, which edgerig cannot feed or read.")
        return TensorSpec(tensor.name, tensor.shape, tensor.dtype, tensor.quantization)

    return tuple(map(spec, graph.inputs)), tuple(map(spec, graph.outputs))
