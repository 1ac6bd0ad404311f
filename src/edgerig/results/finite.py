"""Keeps numbers that JSON cannot represent out of files: infinity and NaN would be read back as null."""

from __future__ import annotations

import math
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from edgerig.errors import InferenceError
from edgerig.measure.kinds import Unavailable

T = TypeVar("T", bound=msgspec.Struct)


class _NotFiniteError(Exception):
    """A number that nothing can replace."""


def finite(value: T) -> T:
    """``value`` with every infinite number and every NaN replaced, where its type allows for a missing value.

    The nearest enclosing type decides: where it may be `Unavailable`, it becomes that, with the reason; where it may
    be None, it becomes None; among plain values (settings) the number becomes a text.

    Raises:
        InferenceError: A number cannot be replaced; names the field.
    """
    try:
        result: T = _struct(value, "")
    except _NotFiniteError as error:
        raise InferenceError(f"The result cannot be kept: {error}.", "Is the network's output a number?") from None
    return result


def _struct(value: Any, where: str) -> Any:
    kind: Any = type(value)
    hints = _hints(kind)
    changes = {}
    for name, hint in hints.items():
        before = getattr(value, name)
        after = _value(before, hint, f"{where}.{name}" if where else name)
        if after is not before:
            changes[name] = after
    return msgspec.structs.replace(value, **changes) if changes else value


def _value(value: Any, hint: Any, where: str) -> Any:
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    try:
        return _inside(value, choices, where)
    except _NotFiniteError as error:
        if Unavailable in choices:
            return Unavailable(str(error))
        if NoneType in choices:
            return None
        raise


def _inside(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        if Any in choices:
            return str(value)
        raise _NotFiniteError(f"{where} is {value}, which is no finite number")
    if isinstance(value, msgspec.Struct):
        return _struct(value, where)
    if isinstance(value, tuple | list):
        hint = _item(choices, (tuple, list), 0)
        items = [_value(item, hint, f"{where}[{number}]") for number, item in enumerate(value)]
        same = all(a is b for a, b in zip(items, value, strict=True))
        return value if same else type(value)(items)
    if isinstance(value, dict):
        hint = _item(choices, (dict,), 1)
        changed = {key: _value(item, hint, f"{where}.{key}") for key, item in value.items()}
        return value if all(changed[key] is value[key] for key in value) else changed
    return value


def _item(choices: tuple[Any, ...], kinds: tuple[type, ...], index: int) -> Any:
    """The declared type of an item of a tuple, list or dict; `Any` where it is not declared."""
    for choice in choices:
        if get_origin(choice) in kinds:
            return get_args(choice)[index]
    return Any


@lru_cache(maxsize=256)
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in kind.__struct_fields__}
