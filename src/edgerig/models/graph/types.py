"""A network as a list of operators over tensors, whatever file it came from."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from edgerig.artifact import ITEM_SIZES, Quantization

#: Bits an element of the types that numpy has no name for.
ODD_BITS = {
    "int4": 4, "uint4": 4, "int2": 2, "bfloat16": 16, "float8_e4m3fn": 8, "float8_e5m2": 8,
    "complex64": 64, "complex128": 128, "string": 0, "resource": 0, "variant": 0,
}  # fmt: skip


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of the graph. ``constant``: its content is stored in the file (``nbytes`` of weights).

    ``unknown_shape``: the file does not tell the shape and it could not be inferred; ``shape`` is then empty.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    constant: bool = False
    variable: bool = False
    unknown_shape: bool = False

    @property
    def elements(self) -> int:
        """Number of elements; 0 where the shape is unknown."""
        return 0 if self.unknown_shape else math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes, types of less than a byte packed; 0 for strings and handles."""
        bits = ODD_BITS.get(self.dtype)
        return self.elements * ITEM_SIZES[self.dtype] if bits is None else -(-self.elements * bits // 8)


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """An operator in execution order; ``inputs`` and ``outputs`` are tensor indices, -1 for one left out.

    ``op`` is the file format's own name (``CONV_2D``, ``Conv``); ``options`` its attributes by their own names.
    """

    index: int
    op: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = {}


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """The main subgraph of a model file."""

    name: str
    format: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: dict[str, str] = {}
