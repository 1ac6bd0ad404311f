"""Conditions of steps: comparisons of parameters, joined by ``and``, ``or`` and ``not``."""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Mapping
from typing import Any

from edgerig.errors import SpecError, UnknownNameError
from edgerig.suites.workflow.types import Value

#: What a condition may compare with, and how Argo's expressions write it.
_COMPARISONS: dict[type[ast.cmpop], tuple[Callable[[Any, Any], bool], str]] = {
    ast.Eq: (operator.eq, "=="),
    ast.NotEq: (operator.ne, "!="),
    ast.Lt: (operator.lt, "<"),
    ast.LtE: (operator.le, "<="),
    ast.Gt: (operator.gt, ">"),
    ast.GtE: (operator.ge, ">="),
}
#: Longest condition in characters: the parser is recursive.
LONGEST = 500
_HINT = "A condition compares parameters: start < 2, mode == 'fast' and not dry."


def condition_holds(text: str, parameters: Mapping[str, Value]) -> bool:
    """Whether a condition holds.

    Raises:
        SpecError: It is no condition, or compares a text with a number.
        UnknownNameError: It names a parameter that there is not.

    >>> condition_holds("start < 2 and mode == 'fast'", {"start": 1, "mode": "fast"})
    True
    """
    return bool(_value(_parsed(text), parameters, text))


def argo_condition(text: str, parameters: Mapping[str, Value]) -> str:
    """The condition as an Argo Workflow's ``when``, which compares texts after putting the parameters in.

    >>> argo_condition("start < 2 and mode == 'fast'", {"start": 1, "mode": "fast"})
    "({{workflow.parameters.start}} < 2) && ('{{workflow.parameters.mode}}' == 'fast')"
    """
    condition_holds(text, parameters)
    return _argo(_parsed(text), parameters)


def _parsed(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise SpecError(f"The condition has {len(text):,} characters; {LONGEST} are allowed.", _HINT)
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpecError(f"{text[:80]!r} is not a condition.", _HINT) from error
    for part in ast.walk(node):
        known = (ast.BoolOp, ast.boolop, ast.Compare, ast.cmpop, ast.UnaryOp, ast.Name, ast.Constant, ast.expr_context)
        allowed = isinstance(part, (*known, ast.Not, ast.USub))
        if isinstance(part, ast.cmpop):
            allowed = type(part) in _COMPARISONS
        if isinstance(part, ast.Constant):
            allowed = isinstance(part.value, str | int | float | bool)
        if not allowed:
            raise SpecError(f"{text[:80]!r}: {type(part).__name__} has no meaning in a condition.", _HINT)
    return node


def _value(node: ast.expr, parameters: Mapping[str, Value], text: str) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _parameter(node.id, parameters)
    if isinstance(node, ast.BoolOp):
        values = [bool(_value(part, parameters, text)) for part in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, parameters, text)
        if isinstance(node.op, ast.Not):
            return not operand
        if isinstance(operand, str | bool):
            raise SpecError(f"{text[:80]!r}: only a number can be negative.", _HINT)
        return -operand
    assert isinstance(node, ast.Compare)
    values = [_value(part, parameters, text) for part in (node.left, *node.comparators)]
    for left, right in itertools.pairwise(values):
        if _kind(left) != _kind(right):
            raise SpecError(f"{text[:80]!r} compares {left!r} with {right!r}: {_kind(left)} and {_kind(right)}.", _HINT)
    steps = zip(values, node.ops, values[1:], strict=False)
    return all(_COMPARISONS[type(step)][0](left, right) for left, step, right in steps)


def _parameter(name: str, parameters: Mapping[str, Value]) -> Value:
    if name in ("true", "false"):
        return name == "true"
    if name not in parameters:
        raise UnknownNameError("parameter", name, parameters)
    return parameters[name]


def _kind(value: Value) -> str:
    return {bool: "a truth value", str: "a text"}.get(type(value), "a number")


def _argo(node: ast.expr, parameters: Mapping[str, Value]) -> str:
    if isinstance(node, ast.Constant):
        return repr(node.value).lower() if isinstance(node.value, bool) else repr(node.value)
    if isinstance(node, ast.Name):
        if node.id in ("true", "false"):
            return node.id
        inserted = f"{{{{workflow.parameters.{node.id}}}}}"
        return f"'{inserted}'" if isinstance(parameters[node.id], str) else inserted
    if isinstance(node, ast.BoolOp):
        joint = " && " if isinstance(node.op, ast.And) else " || "
        return joint.join(f"({_argo(part, parameters)})" for part in node.values)
    if isinstance(node, ast.UnaryOp):
        sign = "!" if isinstance(node.op, ast.Not) else "-"
        return f"{sign}({_argo(node.operand, parameters)})" if sign == "!" else f"-{_argo(node.operand, parameters)}"
    assert isinstance(node, ast.Compare)
    operands = [_argo(part, parameters) for part in (node.left, *node.comparators)]
    pairs = zip(operands, node.ops, operands[1:], strict=False)
    parts = [f"{left} {_COMPARISONS[type(step)][1]} {right}" for left, step, right in pairs]
    return parts[0] if len(parts) == 1 else " && ".join(f"({part})" for part in parts)
