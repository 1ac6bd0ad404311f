"""A YAML document with the line of every key, so that an error can refer to it."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from edgerig.errors import SpecError
from edgerig.files import hint_for_missing
from edgerig.formats import with_suffix

Location = tuple[str | int, ...]
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
#: Limits of a rig file: 10,000 blocks of one cell each take about a third of the first two.
MAX_BYTES = 8 << 20
MAX_VALUES = 250_000
MAX_DEPTH = 32
#: Longest number in characters. YAML 1.1 also reads ``1:30:00`` as a number, in quadratic time.
MAX_NUMBER = 100
NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
#: What YAML 1.1 reads to the base of eight.
OCTAL = re.compile(r"[-+]?0[0-7_]+")
#: Uses libyaml where available: ten times as fast, and the same values.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


#: What most documents are.
RIG_FILE = "rig file"
#: Name of a rig that is given as values: by Python, or made from a command's options.
NO_FILE = "the rig"


class Document:
    """Plain values of a YAML file; ``line(location)`` returns the line of a key or item.

    Attributes:
        data: Nested dicts, lists and scalars.
        name: The name of the document in errors.
        folder: The base folder of relative paths in it, or None.
        lines: The line of each key and item, from 1.
    """

    def __init__(self, data: Any, name: str, folder: Path | None = None, lines: dict[Location, int] | None = None):
        self.data, self.name, self.folder = data, name, folder
        self.lines = lines or {}

    def line(self, location: Location) -> int | None:
        """The line, from 1, of the nearest enclosing key in the file."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location)

    @property
    def is_file(self) -> bool:
        """Whether it was read from a file, so that its name is useful in a message."""
        return self.name != NO_FILE

    def where(self, location: Location, key: str | None = None) -> str:
        """``rig.yaml:12: matrix.0.runtimes`` for error messages; ``matrix.0.runtimes`` where there is no file.

        Args:
            key: The key there whose line it is; the message names it.
        """
        path = ".".join(str(part) for part in location)
        if not self.is_file:
            return path
        line = self.line((*location, key) if key else location)
        position = f"{self.name}:{line}" if line else self.name
        return f"{position}: {path}" if path else position


def read_document(path: Path, kind: str = RIG_FILE, needs: str = "model, dataset and, mostly, matrix") -> Document:
    """Read a YAML file.

    Args:
        kind: What the file is called in errors.
        needs: The keys that it must have, in words.

    Raises:
        SpecError: It cannot be read, is not YAML, has a key twice, is no mapping, or exceeds the limits of a rig
            file: `MAX_BYTES`, `MAX_VALUES` once every alias is expanded, `MAX_DEPTH`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise SpecError(f"Cannot read the {kind} {path}: {reason}.", _hint_for(path, kind, error)) from error
    if len(data) > MAX_BYTES:
        raise SpecError(f"{path.name} has more than {MAX_BYTES:,} B: that is no {kind}.")
    lines: dict[Location, int] = {}
    node = _compose(text, path.name)
    content = _Plain(path.name, lines).value(node, ()) if node is not None else None
    if not isinstance(content, dict):
        raise SpecError(f"{path.name}: a {kind} is a mapping with the keys {needs}.")
    return Document(content, path.name, path.resolve().parent, lines)


def _hint_for(path: Path, kind: str, error: OSError | ValueError) -> str:
    """A hint for a file that cannot be read."""
    # JSON is YAML, too.
    is_model = path.exists() and path.suffix != ".json" and with_suffix(path.suffix) is not None
    if isinstance(error, UnicodeError) and not is_model:
        return "Save it as UTF-8: editors have it among the encodings, PowerShell as Out-File -Encoding utf8."
    if kind != RIG_FILE:
        return hint_for_missing(path, f"Is the path right? A {kind} is a text in YAML.")
    if path.is_dir():
        return "Name the rig file itself, such as examples/mnist/rig.yaml."
    if is_model:
        return f"That is a model file; measure it: edgerig bench {shlex.quote(str(path))}"
    return hint_for_missing(path, "Is the path right? A rig file is a text in YAML: docs/rig-file.md.")


def parse_scalar(text: str) -> Any:
    """A value as YAML would read it: ``3`` is a number, ``[a, b]`` a list."""
    try:
        node = _compose(text, "--set")
        return _Plain("--set", {}).value(node, ()) if node is not None else None
    except SpecError as error:
        raise SpecError(f"{text[:80]!r} is not a YAML value: {error.message}", error.hint) from error


def plain_copy(data: dict[str, Any]) -> dict[str, Any]:
    """A copy of a rig that was given as a dict, checked against the limits of a rig file.

    Raises:
        SpecError: It is nested too deep (or contains itself), or has too many values.
    """
    left = MAX_VALUES

    def copy(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if depth > MAX_DEPTH:
            raise SpecError(f"The rig is nested too deep, over {MAX_DEPTH} levels, or holds itself.")
        if left < 0:
            raise SpecError(f"The rig holds more than {MAX_VALUES:,} values.")
        if isinstance(value, dict):
            return {str(key): copy(item, depth + 1) for key, item in value.items()}
        return [copy(item, depth + 1) for item in value] if isinstance(value, list | tuple) else value

    result: dict[str, Any] = copy(data, 0)
    return result


def set_value(document: Document, assignment: str) -> None:
    """Apply one ``key.path=value`` of ``--set``; list items are numbered from 0.

    Raises:
        SpecError: The assignment has no ``=``, or its path goes through a value without keys.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not path:
        raise SpecError(f"--set {assignment!r}: write it as key=value.", "For example: --set measure.samples=200")
    keys = path.split(".")
    holder = document.data
    for position, key in enumerate(keys):
        last = position == len(keys) - 1
        if isinstance(holder, list):
            index = int(key) if key.isdecimal() and len(key) < MAX_NUMBER else -1
            if not 0 <= index < len(holder):
                raise SpecError(f"--set {path}: {'.'.join(keys[:position])} has {len(holder)} items, from 0.")
            if last:
                holder[index] = parse_scalar(text)
            elif isinstance(holder[index], str):
                # `litert` is short for `{use: litert}`; setting a key inside needs the long form.
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


def _compose(text: str, name: str) -> yaml.Node | None:
    """The nodes of a YAML text, with aliases as shared nodes.

    Depth is checked before they are created: the composers are recursive, the one in C without a check of its stack.
    """
    try:
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    line = event.start_mark.line + 1 if event.start_mark else 0
                    raise SpecError(f"{name}:{line}: nested too deep, over {MAX_DEPTH} levels.")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        position = f"{name}:{mark.line + 1}" if mark else name
        raise SpecError(f"{position}: not valid YAML: {getattr(error, 'problem', None) or error}.") from error
    if node is not None:
        _bound(node, name)
    return node


def _bound(root: yaml.Node, name: str) -> None:
    """Refuse a document that is too large or too deep with its aliases expanded, in time linear in the text."""
    sizes: dict[int, tuple[int, int]] = {}
    under_way: set[int] = set()

    def measure(node: yaml.Node) -> tuple[int, int]:
        """Values and levels of a node, with every alias expanded."""
        if isinstance(node, yaml.ScalarNode):
            return 1, 0
        key = id(node)
        if key in sizes:
            return sizes[key]
        if key in under_way:
            raise SpecError(f"{name}:{node.start_mark.line + 1}: nested too deep: an alias refers to itself.")
        under_way.add(key)
        pairs = isinstance(node, yaml.MappingNode)
        parts = [part for pair in node.value for part in pair] if pairs else node.value
        measured = [measure(part) for part in parts]
        values, levels = 1 + sum(v for v, _ in measured), 1 + max((d for _, d in measured), default=0)
        line = node.start_mark.line + 1
        if values > MAX_VALUES:
            raise SpecError(
                f"{name}:{line}: this stands for more than {MAX_VALUES:,} values.",
                "Write out what the rig needs; aliases within aliases multiply.",
            )
        if levels > MAX_DEPTH:
            raise SpecError(f"{name}:{line}: nested too deep, over {MAX_DEPTH} levels.")
        under_way.remove(key)
        sizes[key] = values, levels
        return values, levels

    measure(root)


class _Plain:
    """Converts nodes to plain values and records the line of each."""

    def __init__(self, name: str, lines: dict[Location, int]) -> None:
        self.name, self.lines = name, lines
        self._scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, location: Location) -> Any:
        line = node.start_mark.line + 1
        self.lines[location] = line
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        if node.tag not in PLAIN_TAGS:
            raise SpecError(f"{self.name}:{line}: the tag {node.tag!r} has no place in a rig file.")
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*location, index)) for index, item in enumerate(node.value)]
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise SpecError(f"{self.name}:{line}: a list or a mapping stands here as a key; keys are words.")
            if key in result:
                raise SpecError(f"{self.name}:{line}: the key {key!r} stands here twice.")
            result[key] = self.value(value_node, (*location, key))
            self.lines[(*location, key)] = line
        return result

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        if node.tag in NUMBER_TAGS:
            self._check_number(node.value, line)
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            # An impossible date, a number of thousands of digits, a tag of Python's.
            reason = getattr(error, "problem", None) or str(error)
            raise SpecError(f"{self.name}:{line}: not valid YAML: {reason}.") from error
        if isinstance(value, float) and not math.isfinite(value):
            raise SpecError(f"{self.name}:{line}: {node.value} is not a finite number.")
        return value

    def _check_number(self, text: str, line: int) -> None:
        """Refuse what YAML 1.1 reads as another number than a person does: 0100 as 64, 1:30 as 90.

        Raises:
            SpecError: It is such a number, or one of very many digits.
        """
        if len(text) > MAX_NUMBER:
            raise SpecError(f"{self.name}:{line}: {text[:20]}… is a number of {len(text):,} characters.")
        reason = "is an octal number in YAML" if OCTAL.fullmatch(text) else ""
        reason = "counts in sixties in YAML" if ":" in text else reason
        if reason:
            raise SpecError(
                f"{self.name}:{line}: {text} {reason}.", "Write a decimal number; put quotes around it if it is a text."
            )
