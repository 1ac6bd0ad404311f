"""How docstrings of edgerig are read for the site."""

from __future__ import annotations

import re
from typing import Any

import griffe

#: Paragraphs of examples, up to a blank line that none follows.
EXAMPLES = re.compile(r"(?:^>>> .*(?:\n(?!\n).*)*\n?(?:\n(?=>>> ))?)+", re.MULTILINE)


class HouseStyle(griffe.Extension):
    """Gives griffe the headings that it knows: class attributes are attributes, and examples are a section."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each class, function and module once it is read."""
        if obj.docstring is not None:
            obj.docstring.value = _with_known_headings(obj.docstring.value)


def _with_known_headings(text: str) -> str:
    text = text.replace("\nClass attributes:\n", "\nAttributes: Class attributes:\n")
    return EXAMPLES.sub(lambda found: "Examples:\n" + re.sub(r"^(?=.)", "    ", found[0], flags=re.MULTILINE), text)
