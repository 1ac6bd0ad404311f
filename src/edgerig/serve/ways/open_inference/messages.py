"""Requests and answers of the protocol over HTTP: JSON, followed by binary tensors where they are asked for.

A body with binary tensors begins with JSON, of as many bytes as the header ``Inference-Header-Content-Length`` says;
the bytes of the tensors follow in the order in which the JSON names them, little endian.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import EdgerigError, RequestError
from edgerig.serve.tensors import NetworkTensors, Rows
from edgerig.serve.ways.open_inference.datatypes import NAME_OF, NAMES, bytes_of, check_place, dtype_of
from edgerig.text import one_line

Array = NDArray[Any]
#: The header with the length of the JSON in front of binary tensors.
HEADER_LENGTH = "inference-header-content-length"
#: Digits of a body's length.
LONGEST_LENGTH = 20
#: Most axes of a tensor.
MOST_AXES = 32


#: Bytes of a body that is no JSON in which a reason is looked for.
LOOKED_AT = 64 << 10


class InputTensor(msgspec.Struct, frozen=True):
    """An input in a request; ``data`` is its JSON, empty where the tensor is binary."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw()


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class InferenceRequest(msgspec.Struct, frozen=True):
    """The JSON of a request."""

    inputs: list[InputTensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[WantedOutput] | None = None


class NotJsonError(EdgerigError):
    """An output holds what JSON has no number for."""


_decoder = msgspec.json.Decoder(InferenceRequest)
_encoder = msgspec.json.Encoder()


def length_of(header: str) -> int | None:
    """The number in a header `HEADER_LENGTH`; None where it is none, or no length of a body.

    >>> length_of("0120"), length_of("-1"), length_of("9" * 5000)
    (120, None, None)
    """
    digits = header.lstrip("0")
    # A number of thousands of digits is none to Python.
    if not (header.isascii() and header.isdecimal()) or len(digits) > LONGEST_LENGTH:
        return None
    return int(digits or "0")


def parse(body: memoryview | bytes, header_length: str | None) -> tuple[InferenceRequest, dict[str, Array]]:
    """A request, and its input tensors by name.

    Args:
        header_length: The header `HEADER_LENGTH`; None where it is missing.

    Raises:
        RequestError: It is no request of the protocol.
    """
    view = memoryview(body)
    json, binary = view, memoryview(b"")
    if header_length is not None:
        length = length_of(header_length)
        if length is None or length > len(view):
            raise RequestError(f"Inference-Header-Content-Length is not within the body's {len(view)} B.")
        json, binary = view[:length], view[length:]
    try:
        request = _decoder.decode(json)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"The body is no inference request: {one_line(error, 200)}.", *_hints(json)) from error
    tensors: dict[str, Array] = {}
    for tensor in request.inputs:
        if tensor.name in tensors:
            raise RequestError(f"Input {one_line(tensor.name, 80)!r} comes twice.")
        check_place(tensor.parameters, "Input", tensor.name)
        dtype = dtype_of(tensor.datatype, tensor.name)
        count = _elements(tensor)
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            tensors[tensor.name] = _from_json(tensor, dtype, count)
            continue
        if type(size) is not int or size != count * dtype.itemsize or size > len(binary) or bytes(tensor.data):
            raise RequestError(
                f"Input {one_line(tensor.name, 80)!r} of shape {tensor.shape} has {count * dtype.itemsize} B, not "
                f"{one_line(repr(size), 40)} of {len(binary)} that follow."
            )
        tensors[tensor.name] = _native(np.frombuffer(binary[:size], dtype).reshape(tensor.shape))
        binary = binary[size:]
    if len(binary):
        raise RequestError(f"{len(binary)} B follow the last binary tensor.")
    return request, tensors


def _hints(json: memoryview) -> list[str]:
    """What helps where that is no JSON: Python writes NaN and infinity, which it does not have."""
    words = re.search(rb"[\[,:]\s*-?(NaN|Infinity)\s*[],}]", json[:LOOKED_AT])
    return ["JSON has no NaN and no infinity: send such numbers as binary tensors."] if words else []


def _elements(tensor: InputTensor) -> int:
    if len(tensor.shape) > MOST_AXES or any(not 0 <= size < 2**48 for size in tensor.shape):
        raise RequestError(f"Input {one_line(tensor.name, 80)!r} has the shape {one_line(tensor.shape, 80)}.")
    return math.prod(tensor.shape)


def _native(array: Array) -> Array:
    """The array in this machine's byte order; itself where that is little endian."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _from_json(tensor: InputTensor, dtype: np.dtype[Any], count: int) -> Array:
    """An input out of JSON numbers, flat or nested as its shape is."""
    what = f"Input {one_line(tensor.name, 80)!r}"
    if not bytes(tensor.data):
        raise RequestError(f"{what} has no data.")
    try:
        values, flat = _numbers(dtype.kind, 1).decode(tensor.data), True
    except msgspec.MsgspecError as error:
        if re.match(rb"\s*\[\s*\[", bytes(tensor.data)) is None:
            raise RequestError(f"{what}: its data are no {tensor.datatype} numbers: {one_line(error, 200)}.") from error
        values, flat = _nested(tensor, dtype, what), False
    array = _as_array(values, dtype, what)
    if not (flat and len(values) == count) and list(array.shape) != tensor.shape:
        raise RequestError(f"{what} says the shape {tensor.shape}, and its data have {list(array.shape)}.")
    return array.reshape(tensor.shape)


@lru_cache(256)
def _numbers(kind: str, axes: int) -> msgspec.json.Decoder[Any]:
    """Reads lists of so many axes of numbers of a dtype's kind, which are taken as they are."""
    nested: Any = {"f": float, "b": bool}.get(kind, int)
    for _ in range(axes):
        nested = list[nested]
    return msgspec.json.Decoder(nested)


def _nested(tensor: InputTensor, dtype: np.dtype[Any], what: str) -> Any:
    try:
        return _numbers(dtype.kind, max(1, len(tensor.shape))).decode(tensor.data)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise RequestError(
            f"{what}: its data are no {tensor.datatype} numbers, flat or nested as its shape is: "
            f"{one_line(error, 200)}."
        ) from error


def _as_array(values: Any, dtype: np.dtype[Any], what: str) -> Array:
    """Python's numbers in ``dtype``, none of them changed but for the rounding of real numbers."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"{what}: its data are no regular list of numbers.") from error
    allowed = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[dtype.kind]
    if array.size and array.dtype.kind not in allowed:
        raise RequestError(f"{what}: its data are no {NAMES[dtype.newbyteorder('=').name]} numbers.")
    if array.size and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise RequestError(f"{what}: its data exceed {limits.min} to {limits.max}.")
    with np.errstate(over="ignore"):
        return array.astype(dtype.newbyteorder("="))


def wanted_outputs(request: InferenceRequest, tensors: NetworkTensors) -> list[tuple[int, bool]]:
    """Positions of the outputs to answer, in the order that was asked for, and whether each is binary.

    Raises:
        RequestError: There is no output of that name, or it is asked for twice, in shared memory, or as a ranking.
    """
    binary = _flag(request.parameters, "binary_data_output", False)
    if not request.outputs:
        return [(position, binary) for position in range(len(tensors.outputs))]
    positions = {spec.name: position for position, spec in enumerate(tensors.outputs)}
    chosen: dict[int, bool] = {}
    for output in request.outputs:
        position = positions.get(output.name)
        if position is None or position in chosen:
            why = "is asked for twice" if position in chosen else f"is none of {', '.join(map(repr, positions))}"
            raise RequestError(f"Output {one_line(output.name, 80)!r} {why}.")
        check_place(output.parameters, "Output", output.name)
        if output.parameters.get("classification"):
            raise RequestError("The extension `classification` is not offered: rank the scores yourself.")
        chosen[position] = _flag(output.parameters, "binary_data", binary)
    return list(chosen.items())


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise RequestError(f"The parameter {name} is true or false, not {one_line(repr(value), 40)}.")
    return value


def render(
    name: str, version: str, id: str, tensors: NetworkTensors, outputs: Rows, wanted: list[tuple[int, bool]]
) -> tuple[list[bytes | memoryview], int | None]:
    """The parts of an answer's body, and the length of its JSON where binary tensors follow.

    Raises:
        NotJsonError: An output that is to be JSON holds NaN or infinity.
    """
    described, binary = list[dict[str, Any]](), list[bytes | memoryview]()
    for position, as_bytes in wanted:
        spec, array = tensors.outputs[position], outputs[position]
        tensor: dict[str, Any] = {"name": spec.name, "datatype": NAME_OF[array.dtype], "shape": list(array.shape)}
        if as_bytes:
            data = bytes_of(array)
            tensor["parameters"] = {"binary_data_size": len(data)}
            binary.append(data)
        else:
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise NotJsonError(
                    f"Output {spec.name!r} holds NaN or infinity, which JSON has no number for.",
                    "Ask for binary tensors.",
                )
            tensor["data"] = array.reshape(-1).tolist()
        described.append(tensor)
    answer = {"model_name": name, "model_version": version, "outputs": described}
    if id:
        answer["id"] = id
    json = _encoder.encode(answer)
    return [json, *binary], len(json) if binary else None


__all__ = [
    "HEADER_LENGTH",
    "LONGEST_LENGTH",
    "InferenceRequest",
    "NotJsonError",
    "length_of",
    "parse",
    "render",
    "wanted_outputs",
]
