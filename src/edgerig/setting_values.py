"""Values of settings: how they are read, and what is said of those that are wrong."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from edgerig.errors import nearest

#: What `describe` gives in the place of the default of a setting that has none.
REQUIRED = "required"
#: A number with commas, as some languages write decimals and others thousands.
_WITH_COMMAS = re.compile(r"[-+]?\d+(,\d+)+(\.\d+)?")


def wrong_value(kind: type[Struct], field: msgspec.structs.FieldInfo, value: Any) -> str | None:
    """What is wrong with the value of one setting, None if nothing is."""
    key = field.encode_name
    checks: Mapping[str, Callable[[Any], object]] = getattr(kind, "checks", {})
    if not _finite(value):
        return f"{key}: {value!r} is not a finite number"
    if isinstance(value, str) and _one_or_several(value) and _takes_reals(_hints(kind).get(field.name)):
        points, *_ = whole = value.strip().split(",")
        return (
            f"{key}: {value} is several whole numbers to some, and has decimal commas to others; write "
            f"{points}.{whole[1]}, or [{', '.join(whole)}]"
        )
    try:
        converted = msgspec.convert(value, field.type, strict=False)
    except msgspec.ValidationError as error:
        text = str(error)
        path = f" - at `$.{key}"
        problem = readable(text.replace(" - at `$", path, 1) if " - at `$" in text else f"{text}{path}`", kind)
        return problem + _how_to_write(value, text)
    dotted = _whole_by_rounding(value, converted)
    if dotted is not None:
        return f"{key}: {dotted} has a decimal point, where a whole number is asked for (1.000 is one, no thousand)"
    try:
        if key in checks and converted is not None:
            checks[key](converted)
    except ValueError as error:
        return str(error)
    return None


def listed(value: Any, key: str, kind: type[Struct]) -> Any:
    """A list from a command line without brackets: ``32,32,3``, ``32x32x3``, or a single number."""
    hint = _hints(kind).get(key)
    if not any(get_origin(hint_part) in (tuple, list) for hint_part in (hint, *get_args(hint))):
        return value
    if isinstance(value, str):
        if _one_or_several(value) and _takes_reals(hint):
            # Refused as the text that it is, by `wrong_value`.
            return value
        bare = value.strip().removeprefix("(").removesuffix(")")
        numbers = re.fullmatch(r"\d+(x\d+)+", bare) is not None
        return [part.strip() for part in re.split("x" if numbers else ",", bare) if part.strip()]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value


def _one_or_several(text: str) -> bool:
    """Whether a text may be numbers with a decimal comma, ``0,5``, as well as twice as many whole ones."""
    parts = text.strip().split(",")
    whole = all(re.fullmatch(r"[-+]?\d+", part) for part in parts[::2])
    return len(parts) % 2 == 0 and whole and all(part.isdecimal() for part in parts[1::2])


def _takes_reals(hint: Any) -> bool:
    """Whether a type is, or may be, a list of real numbers."""
    lists = (part for part in (hint, *get_args(hint)) if get_origin(part) in (tuple, list))
    return any(float in get_args(part) for part in lists)


def _whole_by_rounding(value: Any, converted: Any) -> float | str | None:
    """A number with a decimal point in ``value`` that ``converted`` has as a whole one, None if there is none.

    ``1.000`` is a thousand to some who write it, and 1 to YAML: a run of one sample looks like one of a thousand.
    """
    if isinstance(converted, int) and not isinstance(converted, bool):
        pointed = isinstance(value, float) or (isinstance(value, str) and "." in value and "e" not in value.lower())
        return value if pointed else None
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, list | tuple) and isinstance(converted, list | tuple):
        pairs = zip(value, converted, strict=False)
    elif isinstance(value, dict) and isinstance(converted, dict):
        pairs = ((value[key], converted[key]) for key in value.keys() & converted.keys())
    return next((number for pair in pairs if (number := _whole_by_rounding(*pair)) is not None), None)


def _how_to_write(value: Any, problem: str) -> str:
    """What to write instead, where a value is written as YAML does not read it; else an empty text."""
    parts = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(part, str) and _WITH_COMMAS.fullmatch(part.strip()) for part in parts):
        return "; decimals have a point (1.5), thousands nothing (1000)"
    if "`str" in problem and "got `bool`" in problem:
        return "; YAML reads yes, no, on and off as true or false: put quotes around them"
    return ""


@functools.cache
def _hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind)


def _finite(value: Any) -> bool:
    """Whether no number in it is infinite or NaN, as a float or as text: JSON, and so every hash and file that
    settings go into, cannot represent these."""
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def readable(problem: str, kind: type[Struct]) -> str:
    """msgspec's text of a problem, as ``samples: expected `int` >= 1``, with the valid values where they are few."""
    text, _, where = problem.partition(" - at `$.")
    if text.startswith("Object missing required field "):
        return missing_text(text.split("`")[1], kind)
    key = where.rstrip("`")
    if text.startswith("Invalid enum value"):
        hint = _hints(kind).get(re.split(r"[.\[]", key)[0])
        allowed = _words(hint)
        if allowed:
            value = text.removeprefix("Invalid enum value ")
            near = nearest(value.strip("'"), [word for word in allowed if isinstance(word, str)])
            text = f"{value} is none of {', '.join(map(repr, allowed))}"
            if _takes_numbers(hint):
                text = f"{value} is neither a number nor {' or '.join(map(repr, allowed))}"
            text += f"; did you mean {near!r}?" if near else ""
    text = text[:1].lower() + text[1:]
    return f"{key}: {text}" if key else text


def missing_text(key: str, kind: type[Struct]) -> str:
    """That a setting is required, with what it means."""
    meaning = next((text for name, _, text in describe(kind) if name == key and text), "")
    return f"the setting {key!r} is missing" + (f" ({meaning})" if meaning else "")


def _words(hint: Any) -> list[str | int]:
    """The values that a type allows, as far as it lists them."""
    if get_origin(hint) is Literal:
        return [value for value in get_args(hint) if isinstance(value, str | int)]
    return [word for part in get_args(hint) for word in _words(part)]


def _takes_numbers(hint: Any) -> bool:
    """Whether a type allows numbers beside the words that it lists."""
    return hint in (int, float) or (get_origin(hint) is not Literal and any(map(_takes_numbers, get_args(hint))))


def describe(kind: type[Struct]) -> Iterator[tuple[str, str, str]]:
    """Name, default and description of every setting, for help texts and lists."""
    properties = msgspec.json.schema(kind).get("$defs", {}).get(kind.__name__, {}).get("properties", {})
    for field in msgspec.structs.fields(kind):
        default = REQUIRED if field.required else repr(field.default)
        yield field.encode_name, default, properties.get(field.encode_name, {}).get("description", "")
