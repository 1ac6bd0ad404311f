"""Single operators with odd shapes, strides, paddings, dilations, scales and zero points, as TFLite files.

Each operator that the C compiler has a record of has a generator here, by its name; the families are in separate
files. Where a test fails on a seed, ``random_operator(op, seed, dtype)`` generates the same file again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgerig.testing.networks.random_operators import (
    data_movement,
    detection,
    elementwise,
    images,
    recurrent,
    slices,
    weighted,
)
from edgerig.testing.networks.random_operators.draw import Draw, Generator

#: By TFLite's name; operators that occur together in networks share a generator.
GENERATORS: dict[str, Generator] = {
    **weighted.GENERATORS,
    **images.GENERATORS,
    **elementwise.GENERATORS,
    **data_movement.GENERATORS,
    **slices.GENERATORS,
    **recurrent.GENERATORS,
    **detection.GENERATORS,
}

#: LiteRT has no int8 kernel of these, so that there is no reference.
FLOAT_ONLY = frozenset({"RELU_N1_TO_1", "NEG", "DIV", "TFLite_Detection_PostProcess"})
#: Of these, what the compiler refuses in int8, too.
REFUSED_IN_INT8 = frozenset({"NEG", "DIV", "TFLite_Detection_PostProcess"})

#: Operators that are part of another operator's network: a test of their own would be the same.
_SHARED = frozenset({"VAR_HANDLE", "CALL_ONCE", "ASSIGN_VARIABLE", "SHAPE"})

#: Operators whose networks differ.
OPERATORS = tuple(op for op in GENERATORS if op not in _SHARED)

#: All combinations that can be generated: operator and type.
CASES = tuple(
    (op, dtype) for op in OPERATORS for dtype in ("int8", "float32") if dtype != "int8" or op not in FLOAT_ONLY
)


def random_operator(op: str, seed: int, dtype: str) -> bytes:
    """A TFLite file with the operator ``op`` of `GENERATORS`; ``dtype`` is int8 or float32.

    An operator that LiteRT has only in float32 is generated in float32 even for int8.
    """
    return GENERATORS[op](Draw(op, seed, "float32" if op in FLOAT_ONLY else dtype))


def random_inputs(specs: Any, count: int, seed: int) -> list[list[Any]]:
    """``count`` samples for inputs, given as objects with shape and dtype."""
    rng = np.random.default_rng(seed)
    return [[random_content(rng, spec, (0.1, 1.0, 3.0)[index % 3]) for spec in specs] for index in range(count)]


def random_content(rng: np.random.Generator, spec: Any, spread: float = 1.0) -> Any:
    """Content of a tensor, given as an object with shape and dtype: floats about 0, all values of an integer type."""
    if spec.dtype == "float32":
        return rng.normal(0, spread, spec.shape).astype(np.float32)
    if spec.dtype == "bool":
        return rng.integers(0, 2, spec.shape).astype(bool)
    limits = np.iinfo(spec.dtype)
    return rng.integers(limits.min, limits.max + 1, spec.shape).astype(spec.dtype)
