"""Modules that are not imported before something of them is used.

A library may import at its top what it needs for a few of its functions alone. Where none of these is called, all that
has taken time and memory in each process for nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


class _LateModule(ModuleType):
    """Stands for the module of its name, and imports it when an attribute is asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = _LatePath(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(_module(self.__name__), name)


class _LatePath(list[str]):
    """Where parts of a package lie: asked for by whoever imports names, gone through for parts without a stand-in."""

    def __init__(self, package: str) -> None:
        self._package = package

    def __iter__(self) -> Iterator[str]:
        return iter(_module(self._package).__path__)


def _module(name: str) -> ModuleType:
    _remove_stand_ins()  # Who asks within the block of `imported_later` gets the module, too.
    return importlib.import_module(name)


@contextlib.contextmanager
def imported_later(*names: str) -> Iterator[None]:
    """Whoever imports one of these modules within the block gets a stand-in, which imports it at its first use.

    Modules that are imported already, or whose package is, stay as they are; what is not installed fails to import as
    ever.

    Args:
        names: Full names of modules, packages before their parts: ``"scipy", "scipy.linalg"``.
    """
    for name in names:
        package, _, part = name.rpartition(".")
        around = sys.modules.get(package)
        if name in sys.modules or (package in names and not isinstance(around, _LateModule)):
            continue
        if isinstance(around, _LateModule) or importlib.util.find_spec(name.partition(".")[0]) is not None:
            module = sys.modules[name] = _LateModule(name)
            if isinstance(around, _LateModule):
                setattr(around, part, module)
    try:
        yield
    finally:
        _remove_stand_ins()


def _remove_stand_ins() -> None:
    for name in [name for name, module in sys.modules.items() if isinstance(module, _LateModule)]:
        del sys.modules[name]
