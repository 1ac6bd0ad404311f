"""Checks a TFLite file before it is passed to an engine that crashes on a corrupt one.

It runs in a separate process (``python -m edgerig.runtimes.flatbuffer_check``), so that its memory and time do not
count as the engine's.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from edgerig.errors import InferenceError

IDENTIFIER = b"TFL3"
HINT = "The file is corrupt or was cut short: copy it again, or make it anew."
#: Seconds after which the child is ended.
TIMEOUT = 120.0
#: Offset of ``quantized_dimension`` in the vtable of QuantizationParameters (4 + 2 * its number in the schema).
_AXIS_FIELD = 16


def check_file(path: Path, schema: str) -> tuple[list[str], list[str]]:
    """Check the file ``path`` in a child process.

    Args:
        schema: The generated module of the engine that holds ``ModelT``.

    Returns:
        The names of the inputs and of the outputs.

    Raises:
        InferenceError: The file is no TFLite file, or is damaged; says where.
    """
    command = [sys.executable, "-m", __name__, str(path), schema]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InferenceError(f"{path.name} could not be checked: {error}.") from error
    if done.returncode < 0:
        raise InferenceError("It is a damaged TFLite file: LiteRT dies of it.", HINT)
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        words = done.stderr.strip().splitlines() or ["no answer"]
        raise InferenceError(f"{path.name} could not be checked: {words[-1]}.") from error
    if "fault" in answer:
        raise InferenceError(answer["fault"], HINT)
    return answer["inputs"], answer["outputs"]


def verify_with_litert(data: bytes, model: Any) -> None:
    """Let LiteRT, where it is installed, verify the file ``data`` and compute its shapes.

    It is strict where a reader in Python is lenient, and it computes the shapes that TFLite Micro trusts unchecked.

    Args:
        data: The content of the file.
        model: The result of `check_tflite`.

    Raises:
        InferenceError: LiteRT finds it invalid, or a tensor's shape differs from the one that its operator computes.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        return
    data = with_axes_of_vectors(data)
    try:
        interpreter = Interpreter(model_content=data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
        interpreter.allocate_tensors()
        details = interpreter.get_tensor_details()
    except (ValueError, RuntimeError) as error:
        # Operators that only TFLite Micro has, such as those for audio, are custom ones for LiteRT.
        if "custom op" in str(error):
            return
        raise InferenceError(f"It is a damaged TFLite file: {str(error).splitlines()[0]}.", HINT) from error
    tensors = model.subgraphs[0].tensors
    for detail in details:
        # LiteRT's kernels append scratch tensors to those of the file.
        if detail["index"] < len(tensors):
            shape = [int(size) for size in _list(tensors[detail["index"]].shape)]
            built = [int(size) for size in detail["shape"]]
            if shape != built:
                raise InferenceError(
                    f"It is a damaged TFLite file: tensor {detail['index']} has the shape {shape} where its operator "
                    f"makes {built}.",
                    HINT,
                )


def with_axes_of_vectors(data: bytes) -> bytes:
    """The file with 0 as the quantized axis of vectors, the only one that they have.

    Some converters gave a bias the axis of the weights that it belongs to. LiteRT refuses such a file; TFLite Micro
    never looks at the axis of a bias.
    """
    from ai_edge_litert import schema_py_generated as schema

    changed = bytearray(data)
    model = schema.Model.GetRootAs(changed, 0)
    for graph in (model.Subgraphs(index) for index in range(model.SubgraphsLength())):
        for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
            quantization = tensor.Quantization() if tensor.ShapeLength() == 1 else None
            if quantization is not None and quantization.QuantizedDimension() != 0:
                index = quantization._tab.Pos + quantization._tab.Offset(_AXIS_FIELD)
                changed[index : index + 4] = bytes(4)
    return bytes(changed)


def check_tflite(data: bytes, schema: Any) -> Any:
    """Read every table of the file ``data`` and check that its indices and sizes fit.

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
        # The generated reader has no error class: struct.error, IndexError, UnicodeDecodeError, MemoryError ...
        raise InferenceError(f"It is a damaged TFLite file: {error or type(error).__name__}.", HINT) from error
    fault = _fault(model, schema)
    if fault is not None:
        raise InferenceError(f"It is a damaged TFLite file: {fault}.", HINT)
    return model


def _fault(model: Any, schema: Any) -> str | None:
    if not model.subgraphs or not model.buffers or not model.operatorCodes:
        return "it has no graph, no buffers or no operator codes"
    for index, buffer in enumerate(model.buffers):
        # Offset and size are set where the content is after the flatbuffer, which LiteRT allows for large files.
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
            if any(not -1 <= number < len(tensors) for number in places):
                return f"operator {index} names a tensor that is not there"
        if any(not 0 <= number < len(tensors) for number in (*_list(graph.inputs), *_list(graph.outputs))):
            return "its inputs or outputs are not there"
    # Other subgraphs need neither, such as what CALL_ONCE runs to fill variables.
    if len(_list(model.subgraphs[0].outputs)) == 0:
        return "it has no output"
    return None


def _tensor_fault(tensor: Any, buffers: list[Any], sizes: dict[int, float]) -> str | None:
    if not 0 <= tensor.buffer < len(buffers):
        return "names a buffer that is not there"
    shape = [int(size) for size in _list(tensor.shape)]
    if any(size < 0 for size in shape):
        return f"has the shape {shape}"
    buffer = buffers[tensor.buffer]
    content = None if buffer is None else buffer.data
    # The shape of sparse tensors, and of types without a fixed size such as strings, does not determine their size.
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


def _name(tensor: Any) -> str:
    return tensor.name.decode(errors="replace") if isinstance(tensor.name, bytes) else tensor.name or ""


def main(arguments: Sequence[str]) -> dict[str, Any]:
    """``PATH SCHEMA``: the names of the inputs and outputs, or the fault."""
    path, schema = arguments
    data = Path(path).read_bytes()
    try:
        model = check_tflite(data, import_module(schema))
        verify_with_litert(data, model)
    except InferenceError as error:
        return {"fault": error.message}
    graph = model.subgraphs[0]
    return {
        "inputs": [_name(graph.tensors[index]) for index in graph.inputs],
        "outputs": [_name(graph.tensors[index]) for index in graph.outputs],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1:])) + "\n")
