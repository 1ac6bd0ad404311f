"""What follows from a layer's numbers alone is computed once a compilation, however many plans and bands have it.

Kernels ask for the same scales when they accept a layer, when plans are made of it, and of each of its bands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from edgerig.micro.ir import Weighted

_P = ParamSpec("_P")
_R = TypeVar("_R")
_memo: ContextVar[dict[Any, Any] | None] = ContextVar("memo", default=None)


@contextmanager
def memoized() -> Iterator[None]:
    """Within, functions that are `by_numbers` remember their results; nobody may change constants."""
    token = _memo.set({})
    try:
        yield
    finally:
        _memo.reset(token)


def by_numbers(
    function: Callable[Concatenate[Weighted, _P], _R],
) -> Callable[Concatenate[Weighted, _P], _R]:
    """For a function of constants, quantization, types and activation of a layer: not of its sizes or its place.

    Nobody may change what it gives.
    """

    @wraps(function)
    def remembered(node: Weighted, /, *more: _P.args, **named: _P.kwargs) -> _R:
        memo = _memo.get()
        if memo is None:
            return function(node, *more, **named)
        values = [*node.inputs, node.output]
        numbers = [value if value.constant else (value.dtype, value.quantization) for value in values]
        key = (function, type(node), node.activation, *numbers, *more, *sorted(named.items()))
        if key not in memo:
            memo[key] = function(node, *more, **named)
        return memo[key]  # type: ignore[no-any-return]

    return remembered
