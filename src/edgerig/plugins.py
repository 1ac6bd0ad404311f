"""Plugins: named parts with declared settings, loaded through entry points when they are used.

A plugin is a class with a ``Settings`` struct. That one struct defines the keys of the rig file, its JSON Schema,
``--set key=value`` and the help text. Built-in plugins and a user's own are found in the same way: by entry
point name in the groups ``edgerig.<nouns>``, or as ``package.module:Class``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, TypeVar

import msgspec

from edgerig.deprecation import Deprecation, declare, say
from edgerig.errors import (
    EdgerigError,
    MissingExtraError,
    NotInstalledError,
    SpecError,
    UnknownNameError,
    UsageError,
    unknown_plugin,
)
from edgerig.installed import EntryPoint, changed, entry_points
from edgerig.setting_values import describe as describe
from edgerig.setting_values import listed, missing_text, readable, wrong_value

#: Nouns whose plugins may be named by the address of what they hold: the plugin, and its setting with the address.
ADDRESSED = {"dataset": ("stored", "address")}
#: Files that may be named in the place of the plugin that reads them as its setting ``file``, by suffix.
READ_BY_SUFFIX = {"dataset": {".npz": "npz", ".csv": "csv", ".tsv": "csv"}}
NOUNS = ("task", "dataset", "model", "format", "compiler", "runtime", "target", "power-monitor", "conversion")


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


class Plugin:
    """A named part of a rig.

    Class attributes:
        name: The entry point's name.
        summary: One line for ``edgerig list``.
        extra: The extra that installs the engine, or None if the base install does.
        modules: The modules that must be importable for the plugin to work.
        engine: The engine that `edgerig engines install` makes an environment for, in which these are, too; None where
            it makes none.
        Settings: The settings struct.

    The cache key of anything built with a plugin covers its settings (of a file or folder that one names, its content),
    its module's source, the source of your modules that this imports, the files and environment variables whose names
    are constants in these, and the versions of installed packages. Other files that its results depend on, such as
    those with computed names, must be returned by `reads`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    extra: ClassVar[str | None] = None
    modules: ClassVar[tuple[str, ...]] = ()
    engine: ClassVar[str | None] = None
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any = None) -> None:
        self.settings: Any = settings if settings is not None else self.Settings()

    def reads(self) -> tuple[Path, ...]:
        """Files that the plugin's results depend on and that neither a setting nor a constant in its module names."""
        return ()

    @classmethod
    def missing(cls) -> NotInstalledError | None:
        """The error that using this plugin would raise, or None if its engine is installed."""
        for module in cls.modules:
            if not is_there(module):
                return MissingExtraError(cls.name, cls.extra or "all", module, cls.engine)
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


def find(noun: str, name: str, base: type[P], *, keyed: bool = True) -> type[P]:
    """The plugin class called ``name``: an entry point, or ``package.module:Class``.

    Args:
        noun: What it is.
        name: Its name.
        base: The class that it derives from.
        keyed: Whether results are cached under its code, which is therefore read now. A process that keeps no results
            saves that time.

    Raises:
        UnknownNameError: There is no plugin of that name.
        SpecError: It is not a plugin of that noun.
    """
    name, _ = by_address(noun, name, {})
    if is_class(name):
        from edgerig.plugin_code import import_class

        plugin = import_class(name)
    else:
        point = _point(noun, name)
        if point is None:
            look_again()
            point = _point(noun, name)
        if point is None:
            raise unknown_plugin(noun, name, names(noun))
        plugin = point.load()
    if not (isinstance(plugin, type) and issubclass(plugin, base)):
        raise SpecError(f"{name!r} is not a {noun}: it does not derive from {base.__name__}.", _page(noun))
    lacking = sorted(getattr(plugin, "__abstractmethods__", ()))
    if not hasattr(plugin, "name"):
        lacking.insert(0, "name")
    if lacking:
        raise SpecError(f"{name!r} is no whole {noun}: it lacks {', '.join(lacking)}.", _page(noun))
    if keyed and not plugin.__module__.startswith("edgerig."):
        _remember(plugin)
    return plugin


def _page(noun: str) -> str:
    return f"docs/plugins/{noun.replace(' ', '-')}.md says what each hook gives."


def make(noun: str, name: str, base: type[P], options: dict[str, Any] | None = None, *, keyed: bool = True) -> P:
    """An instance of the plugin ``name`` with settings converted and checked from ``options``; ``keyed`` as `find`."""
    name, options = by_address(noun, name, options or {})
    cls = find(noun, name, base, keyed=keyed)
    return cls(convert_settings(cls.Settings, options, f"{noun} {name!r}"))


def by_address(noun: str, name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The plugin that an address or a file stands for, with it as a setting; any other name as it is.

    >>> by_address("dataset", "s3://lab/street@7", {"size": 96})
    ('stored', {'address': 's3://lab/street@7', 'size': 96})
    >>> by_address("dataset", "mine.csv", {})
    ('csv', {'file': 'mine.csv'})
    """
    reader = READ_BY_SUFFIX.get(noun, {}).get(PurePosixPath(name).suffix.lower())
    if reader is not None and not is_class(name):
        return reader, {"file": name, **options}
    if noun not in ADDRESSED or "/" not in name:
        return name, options
    plugin, setting = ADDRESSED[noun]
    return plugin, {setting: name, **options}


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


def _point(noun: str, name: str) -> EntryPoint | None:
    return next((point for point in _points(noun) if point.name == name), None)


def _points(noun: str) -> tuple[EntryPoint, ...]:
    if noun not in NOUNS:
        raise UsageError(f"{noun!r} is not a noun of edgerig.", f"Nouns: {', '.join(NOUNS)}.")
    return points(group_of(noun))


def group_of(noun: str) -> str:
    """The group of entry points of a noun.

    >>> group_of("power-monitor")
    'edgerig.power_monitors'
    """
    return f"edgerig.{noun.replace('-', '_')}s"


def plural(noun: str) -> str:
    """A noun in plural for a heading.

    >>> plural("power-monitor")
    'Power monitors'
    """
    return f"{noun.replace('-', ' ')}s".capitalize()


def points(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group, of all installed packages; none of them is imported."""
    return _points_on(group, tuple(sys.path))


@lru_cache(maxsize=64)
def _points_on(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of a group on ``path``: a plan of thousands of cells needs them thousands of times."""
    return tuple(point for point in _all_points_on(path) if point.group == group)


@lru_cache(maxsize=4)
def _all_points_on(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of all groups on ``path``, read once: every installed distribution's would be read again for
    each group."""
    return entry_points()


def _remember(plugin: type) -> None:
    """Record the code of a plugin right after it was loaded: results built with it are cached under that."""
    from edgerig.plugin_code import code_of

    code_of(plugin)


def look_again() -> None:
    """Clear the cached entry points if packages have changed: an unknown plugin may be there now, or thousands not."""
    if changed():
        _points_on.cache_clear()
        _all_points_on.cache_clear()


def is_class(name: str) -> bool:
    """Whether ``name`` is a ``package.module:Class``, or an address of a target that looks alike (``sim:BOARD``)."""
    return ":" in name and "/" not in name


def import_beside(name: str, folder: Path) -> bool:
    """Let ``package.module:Class`` be found in ``folder``, such as the rig file's own, after everything that is
    installed; whether its module lies there.

    Raises:
        SpecError: Another module of that name is loaded already, such as one beside another rig file.
    """
    top = name.partition(":")[0].partition(".")[0]
    own = next((path for path in (folder / top / "__init__.py", folder / f"{top}.py") if path.is_file()), None)
    if own is None:
        return False
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if loaded is not None and Path(loaded).resolve() != own.resolve():
        raise SpecError(
            f"{name!r} is ambiguous: {own} lies beside the rig file, and {loaded} is loaded under that name already.",
            f"Give {own.name} another name.",
        )
    return True


def is_there(module: str) -> bool:
    """Whether a module, as ``package.module``, can be found; of its packages the outer ones are imported.

    One whose package fails when it is imported is there: why it fails is told where it is used.
    """
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as error:
        # A package that lacks what it needs in its turn is there, too.
        return error.name is not None and not f"{module}.".startswith(f"{error.name}.")
    except ValueError:
        return False
    except Exception:
        return True
