"""What portable kernels share: their folder of C files, structs as text, strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.arithmetic.requantize import GREATEST
from edgerig.micro.c_text import c_float
from edgerig.micro.ir import Fused, Node, Value
from edgerig.micro.kernels.base import Context, Kernel, Lowered
from edgerig.micro.kernels.refusals import Answer
from edgerig.micro.options import Options

FOLDER = Path(__file__).parent / "c"


class Portable(Kernel):
    """A kernel that accepts nodes by the types of their activations.

    Class attributes:
        types: Type of the first input and of the first output, one pair each.
        source: Its C file and header, without suffix.
    """

    types: ClassVar[tuple[tuple[str, str], ...]] = ()
    source: ClassVar[str] = ""

    def accepts(self, node: Node, options: Options) -> Answer:
        first = node.parts[0] if isinstance(node, Fused) else node
        pair = (first.input.dtype, node.output.dtype if node.outputs else first.input.dtype)
        return pair in self.types and self._fits(node)

    def _fits(self, node: Node) -> bool:
        return True

    def lowered(self, body: str) -> Lowered:
        """The body with the kernel's file and header."""
        return files(body, self.source)


def files(body: str, *sources: str) -> Lowered:
    """A body that calls what the named C files define."""
    return Lowered(body, tuple(FOLDER / f"{name}.c" for name in sources), tuple(f"{name}.h" for name in sources))


def struct(**fields: Any) -> str:
    """A C99 initializer with names; numbers, sequences of numbers, and C expressions as text."""
    return "{ " + ", ".join(f".{key} = {_field(value)}" for key, value in fields.items()) + " }"


def _field(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return c_float(max(min(value, GREATEST), -GREATEST))
    if isinstance(value, Sequence):
        return "{ " + ", ".join(map(_field, value)) + " }"
    return str(int(value))


def padded_rows(matrix: NDArray[Any], multiple: int) -> NDArray[Any]:
    """Rows filled up with zeros to a multiple of ``multiple``."""
    short = -matrix.shape[1] % multiple
    return np.pad(matrix, ((0, 0), (0, short)))


def strides(shape: Sequence[int]) -> list[int]:
    """Elements from one to the next along each axis."""
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def merged(sizes: Sequence[int], *steps: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """The same walk over fewer axes: those of size 1 left out, neighbours joined where all steps allow it."""
    axes: list[tuple[int, tuple[int, ...]]] = []
    for size, *each in zip(sizes, *steps, strict=True):
        if size == 1:
            continue
        if axes and all(outer == inner * size for outer, inner in zip(axes[-1][1], each, strict=True)):
            axes[-1] = (axes[-1][0] * size, tuple(each))
        else:
            axes.append((size, tuple(each)))
    axes = axes or [(1, tuple(0 for _ in steps))]
    return [size for size, _ in axes], [[axis[1][side] for axis in axes] for side in range(len(steps))]


def front(values: Sequence[int], count: int, filler: int) -> list[int]:
    """``values`` with ``filler`` in front until there are ``count``."""
    return [filler] * (count - len(values)) + list(values)


def channel_table(context: Context, bias: Any, multipliers: Any, exponents: Any, stands_for: Sequence[Value]) -> str:
    """Puts bias, multiplier and exponent of each output channel into weights.c; an expression of that type."""
    table = np.stack([bias, multipliers, exponents], axis=1).astype(np.int32)
    name = context.constant("scales", table, stands_for=stands_for)
    return f"(const micro_channel *){name}"
