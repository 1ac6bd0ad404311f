"""What of a TFLite network LiteRT's interpreter runs by itself, and what its delegates have taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgerig.measure.census import Census, Request, grouped

#: What runs an operator: the delegate that LiteRT applies by itself, or a kernel of LiteRT's own.
XNNPACK, BUILTIN, REFERENCE = "XNNPACK", "LiteRT's own kernels", "LiteRT's reference kernels"
METHOD = "LiteRT's list of operators and delegates after loading; types are those of the operators' tensors"
_DELEGATE = "DELEGATE"
_FLOATS, _INTEGERS = frozenset({"float32", "float16"}), frozenset({"int8", "uint8", "int16"})


def census_of(interpreter: Any, delegates: Mapping[int, str], kernels: str, requested: Sequence[str]) -> Census:
    """The census of a network whose tensors are allocated.

    Args:
        interpreter: LiteRT's.
        delegates: The index of each operator that stands for what an external delegate has taken, and its name. What
            LiteRT's own default has taken needs none.
        kernels: `BUILTIN` or `REFERENCE`: whose the kernels of operators without a delegate are.
        requested: Names of the external delegates that were asked for.
    """
    operators = [_Operator(interpreter, index) for index in range(interpreter._interpreter.NumNodes())]
    makers = {tensor: operator for operator in operators if not operator.is_delegate for tensor in operator.outputs}
    runs_on: dict[int, str] = {}
    for operator in operators:
        if operator.is_delegate:
            name = delegates.get(operator.index, XNNPACK)
            runs_on |= dict.fromkeys(_taken(operator, makers), name)
    rows = [
        (operator.name, runs_on.get(operator.index, kernels), operator.dtype)
        for operator in operators
        if not operator.is_delegate
    ]
    return Census(
        operators=grouped(rows),
        method=METHOD,
        requested=tuple(
            Request(kind="preference" if index else "placement", name=name)
            for index, name in enumerate(dict.fromkeys(requested))
        ),
    )


class _Operator:
    """One operator of the interpreter's list; those that a delegate has taken stay in it, before the delegate's."""

    def __init__(self, interpreter: Any, index: int) -> None:
        details = interpreter._get_op_details(index)
        self.index, self.name = index, str(details["op_name"])
        self.is_delegate = self.name == _DELEGATE
        self.inputs = {int(tensor) for tensor in details["inputs"] if tensor >= 0}
        self.outputs = {int(tensor) for tensor in details["outputs"] if tensor >= 0}
        self.dtype = "" if self.is_delegate else arithmetic(details["operand_types"], details["result_types"])


def _taken(delegate: _Operator, makers: Mapping[int, _Operator]) -> set[int]:
    """Indices of the operators that ``delegate`` stands for: those that lead to its outputs, up to its inputs."""
    taken: set[int] = set()
    waiting = list(delegate.outputs)
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.index not in taken:
            taken.add(maker.index)
            waiting += maker.inputs - delegate.inputs
    return taken


def arithmetic(operands: Sequence[Any], results: Sequence[Any]) -> str:
    """The type of an operator's arithmetic, from those of its tensors; real activations stay real with integer weights.

    >>> arithmetic([np.int8, np.int8, np.int32], [np.int8])
    'int8'
    >>> arithmetic([np.float32, np.int8, np.float32], [np.float32])
    'float32 with int8 weights'
    >>> arithmetic([np.int8], [np.float32]), arithmetic([np.int8, np.int32], [np.int64])
    ('float32', 'int8')
    """
    types = [np.dtype(kind).name for kind in operands if kind is not None]
    result = np.dtype(results[0]).name if results and results[0] is not None else ""
    weights = next((name for name in types if name in _INTEGERS), None)
    if result in _FLOATS and result in types and weights is not None:
        return f"{result} with {weights} weights"
    # Of a comparison or a position the result says nothing of the numbers that were compared.
    return result if result in _FLOATS | _INTEGERS or not types else types[0]
