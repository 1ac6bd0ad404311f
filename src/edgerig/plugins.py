"""Plugins: named parts with declared settings, found through entry points when they are named.

A plugin is a class with a ``Settings`` struct. That one struct feeds the rig file, its JSON Schema,
``--set key=value`` and the help text. Built-in plugins and a user's own are found in the same way: by entry
point name in the groups ``edgerig.<nouns>``, or as ``package.module:Class``.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

import msgspec

from edgerig.errors import MissingExtraError, NotInstalledError, SpecError, UnknownNameError, UsageError

NOUNS = ("dataset", "model", "compiler", "runtime", "target")


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a plugin's settings: every field has a default, or is required, and a described meaning.

    Describe a field with ``Annotated[int, msgspec.Meta(description="...", ge=1)]``.
    """


class Plugin:
    """A named part of a rig.

    Class attributes:
        name: The entry point's name.
        summary: One line for ``edgerig list``.
        extra: The extra that brings the engine, or None if the base install does.
        modules: The modules that must be importable for the plugin to work.
        Settings: The settings struct.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    extra: ClassVar[str | None] = None
    modules: ClassVar[tuple[str, ...]] = ()
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = settings if settings is not None else self.Settings()

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        """The error that using this plugin would raise, or None if its engine is installed."""
        for module in cls.modules:
            if not _importable(module):
                return MissingExtraError(cls.name, cls.extra or "all", module)
        return None

    @classmethod
    def require(cls) -> None:
        """Raise `NotInstalledError` if the engine, or a program that it calls, is not installed."""
        error = cls.missing()
        if error is not None:
            raise error


P = TypeVar("P", bound=Plugin)


def names(noun: str) -> list[str]:
    """The registered names of a noun, sorted."""
    return sorted({point.name for point in _points(noun)})


def find(noun: str, name: str, base: type[P]) -> type[P]:
    """The plugin class called ``name``: an entry point, or ``package.module:Class``.

    Raises:
        UnknownNameError: There is none of that name.
        SpecError: It is not a plugin of that noun.
    """
    if ":" in name and "/" not in name:
        found = _import_class(name)
    else:
        point = next((p for p in _points(noun) if p.name == name), None)
        if point is None:
            raise UnknownNameError(noun, name, names(noun))
        found = point.load()
    if not (isinstance(found, type) and issubclass(found, base)):
        raise SpecError(f"{name!r} is not a {noun}: it does not derive from {base.__name__}.")
    return found


def make(noun: str, name: str, base: type[P], options: dict[str, Any] | None = None) -> P:
    """An instance of the plugin ``name`` with settings converted and checked from ``options``."""
    cls = find(noun, name, base)
    return cls(convert_settings(cls.Settings, options or {}, f"{noun} {name!r}"))


def convert_settings(kind: type[Settings], options: dict[str, Any], where: str) -> Settings:
    """Typed settings out of plain values.

    Raises:
        UnknownNameError: A key is unknown; names the nearest one.
        SpecError: A value has the wrong type or is out of range.
    """
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in options:
        if key not in known:
            raise UnknownNameError(f"setting of {where}", str(key), known)
    try:
        # Lax: values of --set and of YAML may come as strings.
        return msgspec.convert(options, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SpecError(f"{where}: {_readable(error, kind)}.") from error


def _readable(error: msgspec.ValidationError, kind: type[Settings]) -> str:
    """What msgspec found, as ``samples: expected `int` >= 1``, with the values that would do where they are few."""
    text, _, place = str(error).partition(" - at `$.")
    key = place.rstrip("`")
    if text.startswith("Invalid enum value"):
        hints = get_type_hints(kind)
        allowed = [repr(value) for value in get_args(hints.get(key)) if isinstance(value, str | int)]
        if allowed:
            text = f"{text.removeprefix('Invalid enum value ')} is none of {', '.join(allowed)}"
    text = text[:1].lower() + text[1:]
    return f"{key}: {text}" if key else text


def describe(kind: type[Settings]) -> Iterator[tuple[str, str, str]]:
    """Name, default and description of every setting, for help texts and lists."""
    properties = msgspec.json.schema(kind).get("$defs", {}).get(kind.__name__, {}).get("properties", {})
    for field in msgspec.structs.fields(kind):
        default = "required" if field.required else repr(field.default)
        yield field.encode_name, default, properties.get(field.encode_name, {}).get("description", "")


def _points(noun: str) -> tuple[EntryPoint, ...]:
    if noun not in NOUNS:
        raise UsageError(f"{noun!r} is not a noun of edgerig.", f"Nouns: {', '.join(NOUNS)}.")
    return tuple(entry_points(group=f"edgerig.{noun}s"))


def _import_class(name: str) -> object:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SpecError(f"Cannot import {name!r}: {error}.", "Is it on the Python path?") from error


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
