"""Settings of a plugin: one declared struct, made and checked from plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar

import msgspec

from edgerig.deprecation import Deprecation, declare, say
from edgerig.errors import EdgerigError, SpecError, UnknownNameError
from edgerig.setting_values import listed, missing_text, readable, wrong_value


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a plugin's settings: every field has a description, and a default unless it is required.

    Describe a field with ``Annotated[int, msgspec.Meta(description="...", ge=1)]``.
    """

    #: Keys of earlier versions, with their replacements: ``{"rate": renamed("rate", "hz", ...)}``.
    old_names: ClassVar[Mapping[str, OldName]] = {}
    #: What a type cannot say of a value, by key: a function that raises `ValueError`, ``rate: 0 is not above 0``.
    #: What several settings say together is for ``__post_init__``, which raises `ValueError`, too.
    checks: ClassVar[Mapping[str, Callable[[Any], object]]] = {}


class OldName(msgspec.Struct, frozen=True):
    """A key of earlier versions: the field that replaced it, None where it has no effect any more."""

    field: str | None
    deprecation: Deprecation


def renamed(old: str, field: str | None, *, since: str, ends: str) -> OldName:
    """The replacement of the setting ``old``; for `Settings.old_names`.

    Args:
        old: The former key.
        field: The field that replaced it; None if it is read and ignored.
        since: The version that deprecated it.
        ends: The first version that refuses it.
    """
    what = f"The setting {old!r}"
    return OldName(field, declare(what, since=since, ends=ends, instead=repr(field) if field else None))


def convert_settings(kind: type[Settings], options: dict[str, Any], where: str) -> Settings:
    """Typed settings from plain values.

    Args:
        kind: The struct to make. options: Its values by key, as a rig file has them.
        where: Whose settings they are, for messages: ``task 'anomaly'``.

    Raises:
        UnknownNameError: A key is unknown; names the nearest one.
        SpecError: A value has the wrong type or is out of range; or there are several problems, which it lists.
    """
    settings, problems = checked_settings(kind, options, where)
    if settings is not None:
        return settings
    if len(problems) == 1:
        raise problems[0][1]
    texts = [" ".join(str(error).removeprefix(f"{where}: ").split()) for _, error in problems]
    raise SpecError(f"{where} has {len(problems)} problems:\n" + "\n".join(f"  - {text}" for text in texts))


@lru_cache(maxsize=512)
def _fields(kind: type[Settings]) -> dict[str, msgspec.structs.FieldInfo]:
    """The settings of a class by their names in files."""
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def checked_settings(
    kind: type[Settings], options: dict[str, Any], where: str
) -> tuple[Settings | None, list[tuple[str, EdgerigError]]]:
    """Typed settings from plain values, None where something is wrong; and every problem, with the key that it is of.

    A problem of the settings as a whole has the key ``""``.
    """
    try:
        options = _with_new_names(kind, options, where)
    except SpecError as error:
        return None, [("", error)]
    known = _fields(kind)
    problems: list[tuple[str, EdgerigError]] = []
    values: dict[str, Any] = {}
    for key, value in options.items():
        if key not in known:
            problems.append((str(key), UnknownNameError(f"setting of {where}", str(key), known)))
            continue
        values[key] = listed(value, key, kind)
        reason = wrong_value(kind, known[key], values[key])
        if reason:
            problems.append((key, SpecError(f"{where}: {_sentence(reason)}")))
    wrong = {key for key, _ in problems}
    for key, field in known.items():
        if field.required and key not in options:
            problems.append((key, SpecError(f"{where}: {missing_text(key, kind)}.")))
    if any(known[key].required for key in known.keys() - values.keys() | wrong & known.keys()):
        return None, problems
    try:
        # Lax conversion: values of --set and of YAML may be strings.
        settings = msgspec.convert({key: values[key] for key in values if key not in wrong}, kind, strict=False)
    except msgspec.ValidationError as error:
        # What the sound settings say together, unless it is about one that is not among them.
        reason = readable(str(error), kind)
        if not any(key in reason for key in wrong):
            problems.append(("", SpecError(f"{where}: {_sentence(reason)}")))
        return None, problems
    return (None if problems else settings), problems


def _sentence(text: str) -> str:
    return text if text.endswith("?") else f"{text}."


def _with_new_names(kind: type[Settings], options: dict[str, Any], where: str) -> dict[str, Any]:
    """``options`` with the keys of earlier versions replaced by the current ones.

    Raises:
        SpecError: A setting is given under both of its names.
    """
    if not options.keys() & kind.old_names.keys():
        return options
    result: dict[str, Any] = {}
    for key, value in options.items():
        old = kind.old_names.get(key)
        if old is None:
            result[key] = value
            continue
        say(old.deprecation)
        if old.field in options:
            raise SpecError(f"{where}: {key!r} is the old name of {old.field!r}, which is given, too.", "Leave it out.")
        if old.field is not None:
            result[old.field] = value
    return result
