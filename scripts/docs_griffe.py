"""How docstrings of edgerig are read for the site: ``Class attributes:`` is a section of attributes with that title."""

from __future__ import annotations

from typing import Any

import griffe


class ClassAttributes(griffe.Extension):
    """Turns the heading into one that griffe knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each class, function and module once it is read."""
        if obj.docstring is not None:
            obj.docstring.value = obj.docstring.value.replace(
                "\nClass attributes:\n", "\nAttributes: Class attributes:\n"
            )
