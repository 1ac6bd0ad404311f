"""A network as a list of operators over tensors, whatever file it came from."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from edgerig.artifact import ITEM_SIZES, Quantization


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor of the graph. ``constant``: its content is stored in the file (``nbytes`` of weights)."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None
    constant: bool = False
    variable: bool = False

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.elements * ITEM_SIZES[self.dtype]


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
