"""Modules that are imported when a test first uses them: at the top of a file they would cost each worker a second."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """The module ``name``, imported when something of it is first asked for.

    Args:
        name: Such as ``"sklearn.metrics"``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        # pytest looks for marks of its own in whatever a test file holds: that would import all of them.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)
