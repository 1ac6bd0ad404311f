"""A network as a list of operators over tensors, independent of the file format."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from edgerig.artifact import ITEM_SIZES, Quantization
from edgerig.errors import ModelError

#: Largest number of elements of a tensor. No device that runs networks holds so many; larger sizes are damage.
LARGEST_TENSOR = 2**36
#: Largest number of axes that numpy and the engines support.
MOST_AXES = 32

#: Bits per element of the types that numpy does not have.
ODD_BITS = {
    "int4": 4, "uint4": 4, "int2": 2, "bfloat16": 16, "float8_e4m3fn": 8, "float8_e5m2": 8,
    "complex64": 64, "complex128": 128, "string": 0, "resource": 0, "variant": 0,
}  # fmt: skip


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of the graph. ``constant``: its content is stored in the file (``nbytes`` of weights).

    ``unknown_shape``: the file does not state the shape and it could not be inferred; ``shape`` is then empty, and
    ``known_axes`` has the known sizes, with -1 for the rest. ``free_axes`` of an input are the axes that the file
    leaves open; ``shape`` has 1 there.
    ``quantization_details``: how it is quantized if not by one scale per tensor or channel, such as one per block.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    constant: bool = False
    variable: bool = False
    unknown_shape: bool = False
    known_axes: tuple[int, ...] | None = None
    free_axes: tuple[int, ...] = ()
    quantization_details: str = ""

    @property
    def elements(self) -> int:
        """Number of elements; 0 where the shape is unknown."""
        return 0 if self.unknown_shape else math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes, types of less than a byte packed; 0 for strings, handles and values that are no tensors."""
        bits = ODD_BITS.get(self.dtype, 8 * ITEM_SIZES.get(self.dtype, 0))
        return -(-self.elements * bits // 8)


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """An operator in execution order; ``inputs`` and ``outputs`` are tensor indices, -1 for an omitted one.

    ``op`` is the file format's own name (``CONV_2D``, ``Conv``); ``options`` its attributes by their own names.
    ``intermediates`` are tensors that only say how what it computes within is quantized (TFLite's LSTM).
    """

    index: int
    op: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = {}
    intermediates: tuple[int, ...] = ()


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """The main subgraph of a model file."""

    name: str
    format: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: dict[str, str] = {}


def check_shape(file: str, what: str, shape: tuple[int, ...], shown: tuple[int, ...] | None = None) -> None:
    """Refuse a shape that no tensor can have.

    Args:
        file: The file's name, for the message.
        what: Which tensor, such as ``"the input 'x'"``.
        shape: The sizes that are known.
        shown: The whole shape, for the message.

    Raises:
        ModelError: A size is negative, there are too many axes, or too many elements.
    """
    whole = list(shape if shown is None else shown)
    if any(size < 0 for size in shape):
        why = "a size cannot be negative"
    elif len(whole) > MOST_AXES:
        whole, why = whole[:MOST_AXES], f"a tensor has at most {MOST_AXES} axes"
    elif math.prod(shape) > LARGEST_TENSOR:
        why = f"no more than {LARGEST_TENSOR:,} elements are taken"
    else:
        return
    raise ModelError(
        f"{file}: {what} has the shape {whole}: {why}.",
        "The file is damaged, or its exporter is at fault: make it again.",
    )
