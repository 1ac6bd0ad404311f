"""Plugins: named parts with declared settings, loaded through entry points when they are used.

A plugin is a class with a ``Settings`` struct. That one struct defines the keys of the rig file, its JSON Schema,
``--set key=value`` and the help text. Built-in plugins and a user's own are found in the same way: by entry
point name in the groups ``edgerig.<nouns>``, or as ``package.module:Class``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from edgerig.errors import MissingExtraError, NotInstalledError, SpecError, unknown_plugin
from edgerig.plugin_names import by_address, is_class, look_again, names, point_of
from edgerig.setting_values import describe as describe
from edgerig.settings import OldName as OldName
from edgerig.settings import Settings as Settings
from edgerig.settings import convert_settings
from edgerig.settings import renamed as renamed


class Plugin:
    """A named part of a rig.

    Class attributes:
        name: The entry point's name.
        summary: One line for ``edgerig list``.
        extra: The extra that installs the engine, or None if the base install does.
        modules: The modules that must be importable for the plugin to work.
        packages: What pip installs to bring these, where no extra of edgerig does.
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
    packages: ClassVar[tuple[str, ...]] = ()
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
                return MissingExtraError(cls.name, cls.extra or "", module, cls.engine, cls.packages)
        return None

    @classmethod
    def require(cls) -> None:
        """Raise `NotInstalledError` if the engine, or a program that it calls, is not installed."""
        error = cls.missing()
        if error is not None:
            raise error


P = TypeVar("P", bound=Plugin)


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
        point = point_of(noun, name)
        if point is None:
            look_again()
            point = point_of(noun, name)
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


def _remember(plugin: type) -> None:
    """Record the code of a plugin right after it was loaded: results built with it are cached under that."""
    from edgerig.plugin_code import code_of

    code_of(plugin)


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
