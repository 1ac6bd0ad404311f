"""The protocol's datatypes, and in which of them a network's tensors may come.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol, "Tensor Data Types".
"""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import RequestError
from edgerig.serve.tensors import NetworkTensors
from edgerig.tensors import TensorSpec
from edgerig.text import one_line

Array = NDArray[Any]

#: Name in the protocol of each dtype that a network's tensor may have.
NAMES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "int8": "INT8",
    "int16": "INT16", "int32": "INT32", "int64": "INT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip
#: numpy's dtype of each name, as it lies in binary tensors: little endian.
DTYPES = {name: np.dtype(dtype).newbyteorder("<") for dtype, name in NAMES.items()}
#: The name of each dtype of this machine; numpy composes a dtype's own name at each access.
NAME_OF = {np.dtype(dtype): name for dtype, name in NAMES.items()}
_LITTLE = sys.byteorder == "little"
#: Real numbers, which an integer network takes as well.
REAL = "FP32"


def bytes_of(array: Array) -> bytes:
    """An array as it lies in binary tensors: little endian, in row-major order."""
    # Nearly always the numbers are so already; a dtype that is asked for takes longer than they do.
    if not (_LITTLE and array.dtype.isnative):
        array = array.astype(array.dtype.newbyteorder("<"))
    return array.tobytes()


def dtype_of(name: str, tensor: str) -> np.dtype[Any]:
    """The dtype of the datatype ``name`` of a request's input ``tensor``.

    Raises:
        RequestError: It is none of numbers.
    """
    dtype = DTYPES.get(name)
    if dtype is None:
        known = "edgerig's networks take numbers: " + ", ".join(DTYPES)
        raise RequestError(f"Input {one_line(tensor, 80)!r} has the datatype {one_line(name, 80)!r}.", known + ".")
    return dtype


def check_place(parameters: Container[str], what: str, name: str) -> None:
    """Look whether an input comes with its request, and an output is wanted in the answer.

    Raises:
        RequestError: It lies in shared memory: whoever looked there for an answer would find old numbers.
    """
    if "shared_memory_region" in parameters:
        raise RequestError(
            f"{what} {one_line(name, 80)!r} has the parameter shared_memory_region, an extension that is not offered.",
            "Send its numbers with the request, and take them from the answer.",
        )


def takes_real(spec: TensorSpec) -> bool:
    """Whether real numbers can be quantized for a tensor."""
    return spec.quantization is not None and np.dtype(spec.dtype).kind in "iu"


def own_numbers(tensors: NetworkTensors, given: Mapping[str, str]) -> bool:
    """Whether a request speaks the network's own numbers, and not real ones that are to be quantized.

    An integer network with a scale takes both: what comes as FP32 is quantized, and its outputs are dequantized.

    Args:
        given: The datatype of each input of the request, by name.

    Raises:
        RequestError: An input takes another datatype, or some inputs are real and others are not.
    """
    own = {spec.name: NAMES[spec.dtype] for spec in tensors.inputs}
    for spec in tensors.inputs:
        datatype = given.get(spec.name, own[spec.name])
        if datatype != own[spec.name] and not (datatype == REAL and takes_real(spec)):
            also = f", or {REAL} to be quantized" if takes_real(spec) else ""
            raise RequestError(
                f"Input {spec.name!r} takes {own[spec.name]}{also}, not {one_line(datatype, 80)}.",
            )
    quantized = [spec.name for spec in tensors.inputs if takes_real(spec)]
    real = [name for name in quantized if given.get(name) == REAL]
    if real and len(real) < len(quantized):
        raise RequestError(
            f"{', '.join(map(repr, real))} is {REAL} and the other quantized inputs are not.",
            f"Give all of them as {REAL}, or all in the network's own datatypes.",
        )
    return not real
