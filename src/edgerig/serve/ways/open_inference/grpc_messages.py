"""Requests and answers of the protocol over gRPC, as numpy arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import RequestError
from edgerig.serve.tensors import NetworkTensors, Rows
from edgerig.serve.ways.open_inference.datatypes import NAME_OF, bytes_of, check_place, dtype_of
from edgerig.text import one_line

Array = NDArray[Any]
#: The field of ``InferTensorContents`` for each datatype; FP16 has none and goes as raw bytes.
FIELDS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


class _Input:
    """An input in messages, whose name is looked at only where there is one."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"Input {one_line(self.name, 80)!r}"


def input_tensors(request: Any) -> dict[str, Array]:
    """The inputs of a ``ModelInferRequest`` by name.

    Raises:
        RequestError: One comes twice, in shared memory, or with bytes or numbers that are not those of its shape.
    """
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise RequestError(f"{len(request.inputs)} inputs come with {len(raw)} raw contents.")
    tensors: dict[str, Array] = {}
    for position, tensor in enumerate(request.inputs):
        what = _Input(tensor.name)
        if tensor.name in tensors:
            raise RequestError(f"{what} comes twice.")
        check_place(tensor.parameters, "Input", tensor.name)
        dtype = dtype_of(tensor.datatype, tensor.name)
        shape = list(tensor.shape)
        if len(shape) > 32 or any(size < 0 for size in shape):
            raise RequestError(f"{what} has the shape {one_line(shape, 80)}.")
        count = math.prod(shape)
        if raw:
            if tensor.HasField("contents"):
                raise RequestError(f"{what} comes both in raw_input_contents and in contents.")
            if len(raw[position]) != count * dtype.itemsize:
                raise RequestError(
                    f"{what} of shape {shape} has {count * dtype.itemsize} B, not {len(raw[position])} B."
                )
            array = np.frombuffer(raw[position], dtype)
        else:
            array = _typed(tensor, dtype, count, what)
        tensors[tensor.name] = array.reshape(shape).astype(dtype.newbyteorder("="), copy=False)
    return tensors


def sequence_of(request: Any) -> Any:
    """The parameter ``sequence_id`` of a ``ModelInferRequest``; None without."""
    if "sequence_id" not in request.parameters:
        return None
    value = request.parameters["sequence_id"]
    return getattr(value, value.WhichOneof("parameter_choice") or "", None)


def _typed(tensor: Any, dtype: np.dtype[Any], count: int, what: _Input) -> Array:
    """The numbers of an input that are no raw bytes."""
    field = FIELDS.get(tensor.datatype)
    if field is None:
        raise RequestError(f"{what} is {tensor.datatype}, which comes as raw contents only.")
    values = np.array(getattr(tensor.contents, field))
    if len(values) != count:
        raise RequestError(f"{what} of shape {list(tensor.shape)} has {count} values, not {len(values)} in {field}.")
    if dtype.kind in "iu" and count:
        limits = np.iinfo(dtype)
        if int(values.min()) < limits.min or int(values.max()) > limits.max:
            raise RequestError(f"{what}: its values exceed {limits.min} to {limits.max}.")
    return values.astype(dtype)


def wanted_outputs(request: Any, tensors: NetworkTensors) -> list[int]:
    """Positions of the outputs to answer.

    Raises:
        RequestError: There is no output of that name, or it is asked for twice, in shared memory, or as a ranking.
    """
    if not request.outputs:
        return list(range(len(tensors.outputs)))
    positions = {spec.name: position for position, spec in enumerate(tensors.outputs)}
    chosen: list[int] = []
    for output in request.outputs:
        position = positions.get(output.name)
        if position is None or position in chosen:
            why = "is asked for twice" if position in chosen else f"is none of {', '.join(map(repr, positions))}"
            raise RequestError(f"Output {one_line(output.name, 80)!r} {why}.")
        check_place(output.parameters, "Output", output.name)
        if "classification" in output.parameters:
            raise RequestError("The extension `classification` is not offered: rank the scores yourself.")
        chosen.append(position)
    return chosen


def fill(answer: Any, tensors: NetworkTensors, outputs: Rows, wanted: list[int], *, raw: bool) -> None:
    """Put outputs into a ``ModelInferResponse``: as raw bytes, or as typed contents where all have such."""
    arrays = [outputs[position] for position in wanted]
    names = [NAME_OF[array.dtype] for array in arrays]
    raw = raw or any(name not in FIELDS for name in names)
    for position, array, datatype in zip(wanted, arrays, names, strict=True):
        tensor = answer.outputs.add(name=tensors.outputs[position].name, datatype=datatype, shape=array.shape)
        if raw:
            answer.raw_output_contents.append(bytes_of(array))
        else:
            getattr(tensor.contents, FIELDS[datatype]).extend(array.reshape(-1).tolist())
