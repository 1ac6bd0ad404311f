"""Looks through a TFLite file before an engine that would die of a corrupt one gets to see it."""

from __future__ import annotations

import math
from typing import Any

from edgerig.errors import InferenceError

IDENTIFIER = b"TFL3"
HINT = "The file is corrupt or was cut short: copy it again, or make it anew."


def check_tflite(data: bytes, schema: Any) -> Any:
    """Read every table of the file ``data`` and see that its indices and sizes fit.

    Args:
        data: The content of the file.
        schema: The generated module of the engine that holds ``ModelT``.

    Returns:
        The ``ModelT``.

    Raises:
        InferenceError: The file is no TFLite file, or is damaged; says where.
    """
    if data[4:8] != IDENTIFIER:
        raise InferenceError("It is not a TFLite file: the identifier TFL3 is missing.", HINT)
    try:
        model = schema.ModelT.InitFromPackedBuf(data, 0)
    except Exception as error:
        # The generated reader has no errors of its own: struct.error, IndexError, UnicodeDecodeError, MemoryError ...
        raise InferenceError(f"It is a damaged TFLite file: {error or type(error).__name__}.", HINT) from error
    fault = _fault(model, schema)
    if fault is not None:
        raise InferenceError(f"It is a damaged TFLite file: {fault}.", HINT)
    return model


def _fault(model: Any, schema: Any) -> str | None:
    if not model.subgraphs or not model.buffers or not model.operatorCodes:
        return "it has no graph, no buffers or no operator codes"
    for index, buffer in enumerate(model.buffers):
        # Offset and size are set where the content lies behind the flatbuffer, as LiteRT allows for large files.
        if buffer is not None and (getattr(buffer, "offset", 0) > 1 or getattr(buffer, "size", 0) > 1):
            return f"buffer {index} lies outside of the flatbuffer, where this engine does not look"
    sizes = _item_sizes(schema)
    for graph in model.subgraphs:
        if graph is None:
            return "a graph is missing"
        tensors, operators = list(_list(graph.tensors)), list(_list(graph.operators))
        for index, tensor in enumerate(tensors):
            fault = _tensor_fault(tensor, model.buffers, sizes)
            if fault is not None:
                return f"tensor {index} {fault}"
        for index, operator in enumerate(operators):
            if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
                return f"operator {index} has no code"
            places = [*_list(operator.inputs), *_list(operator.outputs), *_list(operator.intermediates)]
            if any(not -1 <= place < len(tensors) for place in places):
                return f"operator {index} names a tensor that is not there"
        ends = [*_list(graph.inputs), *_list(graph.outputs)]
        if not ends or any(not 0 <= place < len(tensors) for place in ends):
            return "its inputs or outputs are not there"
    return None


def _tensor_fault(tensor: Any, buffers: list[Any], sizes: dict[int, float]) -> str | None:
    if not 0 <= tensor.buffer < len(buffers):
        return "names a buffer that is not there"
    shape = [int(size) for size in _list(tensor.shape)]
    if any(size < 0 for size in shape):
        return f"has the shape {shape}"
    buffer = buffers[tensor.buffer]
    content = None if buffer is None else buffer.data
    # Sparse tensors, and types of no fixed size such as strings, hold what their shape does not tell.
    if content is None or len(content) == 0 or tensor.sparsity is not None or tensor.type not in sizes:
        return None
    needed = math.ceil(math.prod(shape) * sizes[tensor.type])
    if len(content) != needed:
        return f"needs {needed} bytes and has {len(content)}"
    return None


def _item_sizes(schema: Any) -> dict[int, float]:
    """Bytes of one element by tensor type."""
    named = {
        "FLOAT64": 8, "INT64": 8, "UINT64": 8, "FLOAT32": 4, "INT32": 4, "UINT32": 4, "FLOAT16": 2, "INT16": 2,
        "UINT16": 2, "INT8": 1, "UINT8": 1, "BOOL": 1, "INT4": 0.5,
    }  # fmt: skip
    kinds = schema.TensorType
    return {getattr(kinds, name): size for name, size in named.items() if hasattr(kinds, name)}


def _list(values: Any) -> Any:
    return [] if values is None else values
