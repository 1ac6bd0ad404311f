"""A YAML document with the line of every key, so that an error can point at it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from edgerig.errors import SpecError

Location = tuple[str | int, ...]
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class Document:
    """Plain values of a YAML file; ``line(location)`` tells where a key or item stands.

    Attributes:
        data: Nested dicts, lists and scalars.
        name: What to call the document in errors.
        folder: The folder that relative paths in it start from, or None.
    """

    def __init__(self, data: Any, name: str, folder: Path | None = None, lines: dict[Location, int] | None = None):
        self.data, self.name, self.folder = data, name, folder
        self._lines = lines or {}

    def line(self, location: Location) -> int | None:
        """The line, from 1, of the nearest enclosing key that stands in the file."""
        while location and location not in self._lines:
            location = location[:-1]
        return self._lines.get(location)

    def where(self, location: Location) -> str:
        """``rig.yaml:12: matrix.0.runtimes`` for error messages."""
        path = ".".join(str(part) for part in location)
        line = self.line(location)
        place = f"{self.name}:{line}" if line else self.name
        return f"{place}: {path}" if path else place


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        SpecError: It cannot be read, is not YAML, has a key twice, or is no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SpecError(f"Cannot read the rig file {path}: {reason}.") from error
    lines: dict[Location, int] = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = _plain(node, (), lines, path.name) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path.name}:{mark.line + 1}" if mark else path.name
        raise SpecError(f"{place}: not valid YAML: {getattr(error, 'problem', None) or error}.") from error
    except RecursionError as error:
        raise SpecError(f"{path.name}: nested too deep, or an alias refers to itself.") from error
    if not isinstance(data, dict):
        raise SpecError(f"{path.name}: a rig file is a mapping with the keys model, dataset and matrix.")
    return Document(data, path.name, path.resolve().parent, lines)


def parse_scalar(text: str) -> Any:
    """A value as YAML would read it: ``3`` is a number, ``[a, b]`` a list."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{text!r} is not a YAML value.") from error


def set_value(document: Document, assignment: str) -> None:
    """Apply one ``key.path=value`` of ``--set``; list items go by number, from 0.

    Raises:
        SpecError: The assignment has no ``=``, or its path leads through something that has no keys.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path:
        raise SpecError(f"--set {assignment!r}: write it as key=value.", "For example: --set measure.samples=200")
    keys = path.split(".")
    holder = document.data
    for position, key in enumerate(keys):
        last = position == len(keys) - 1
        if isinstance(holder, list):
            index = int(key) if key.isdecimal() else -1
            if not 0 <= index < len(holder):
                raise SpecError(f"--set {path}: {'.'.join(keys[:position])} has {len(holder)} items, from 0.")
            if last:
                holder[index] = parse_scalar(text)
            elif isinstance(holder[index], str):
                # `litert` is short for `{use: litert}`; setting something inside needs the long form.
                holder[index] = {"use": holder[index]}
            holder = holder[index]
        elif isinstance(holder, dict):
            if last:
                holder[key] = parse_scalar(text)
            elif isinstance(holder.get(key), str):
                holder[key] = {"use": holder[key]}
            holder = holder.setdefault(key, {})
        else:
            raise SpecError(f"--set {path}: {'.'.join(keys[:position])} is a value, it has no keys.")


def _plain(node: yaml.Node, location: Location, lines: dict[Location, int], name: str) -> Any:
    lines[location] = node.start_mark.line + 1
    if not isinstance(node, yaml.ScalarNode) and node.tag not in PLAIN_TAGS:
        raise SpecError(f"{name}:{node.start_mark.line + 1}: the tag {node.tag!r} has no place in a rig file.")
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in result:
                raise SpecError(f"{name}:{key_node.start_mark.line + 1}: the key {key!r} stands here twice.")
            result[key] = _plain(value_node, (*location, key), lines, name)
            lines[(*location, key)] = key_node.start_mark.line + 1
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*location, index), lines, name) for index, item in enumerate(node.value)]
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    finally:
        loader.dispose()
