"""Names and colours of classes, from a file of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.errors import UsageError
from edgerig.serve.video.task_guess import TaskName
from edgerig.tasks.class_maps import MOST_CLASSES
from edgerig.tasks.map_views import COLOURS
from edgerig.text import one_line

#: Largest file of labels, in bytes, and longest name.
MOST_BYTES, LONGEST = 1_000_000, 60


class Labels(NamedTuple):
    """Names of the classes in their order, and colours (R, G, B) of those that the file gives one."""

    names: tuple[str, ...]
    colours: dict[int, tuple[int, int, int]]


class _Object(msgspec.Struct):
    name: str
    number: int = msgspec.field(name="trainId")
    display: bool = True
    color: tuple[int, int, int] | None = None


class _Dictionary(msgspec.Struct):
    objects: list[_Object]
    classes: int | None = None
    ignore: int = 255


def read_labels(path: Path) -> Labels:
    """Labels of a text file with a name a line, or of a class dictionary in JSON.

    A dictionary has ``{"objects": [{"name": .., "trainId": .., "color": [r, g, b]}]}``; a class of several objects gets
    all of their names.

    Raises:
        UsageError: It cannot be read, or holds no labels.
    """
    hint = "A name a line, in the order of the classes; or a class dictionary in JSON."
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than {MOST_BYTES:,} B: no file of labels.", hint)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"The labels {path} cannot be read: {reason}.", hint) from error
    if text.lstrip().startswith("{"):
        return _dictionary(path, text, hint)
    names = tuple(one_line(line, LONGEST) for line in text.splitlines())
    while names and not names[-1]:
        names = names[:-1]
    if not names:
        raise UsageError(f"{path} holds no labels.", hint)
    return Labels(names, {})


def _dictionary(path: Path, text: str, hint: str) -> Labels:
    try:
        document = msgspec.json.decode(text, type=_Dictionary)
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is no class dictionary: {error}.", hint) from error
    used = [entry for entry in document.objects if 0 <= entry.number < MOST_CLASSES and entry.number != document.ignore]
    count = max([entry.number + 1 for entry in used], default=document.classes or 0)
    names: list[list[str]] = [[] for _ in range(max(count, document.classes or 0))]
    colours = {}
    for entry in used:
        if len(names[entry.number]) < 3:
            names[entry.number].append(entry.name)
        if entry.color is not None and entry.number not in colours:
            red, green, blue = (min(255, max(0, value)) for value in entry.color)
            colours[entry.number] = (red, green, blue)
    if not names:
        raise UsageError(f"{path} holds no labels.", hint)
    joined = tuple(one_line(", ".join(parts) or f"class {number}", LONGEST) for number, parts in enumerate(names))
    return Labels(joined, colours)


def colour_table(labels: int, task: TaskName, own: dict[int, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """The colour of each class, (256, 3), black where a class has none.

    Those of reports: seven that are told apart without full colour vision, in turns. The first class of a mask, the
    background, has none, as there; ``own`` go before them.
    """
    table = np.zeros((256, 3), np.uint8)
    first = 1 if task == "segmentation" else 0
    used: Sequence[int] = range(first, min(labels, 255))
    table[list(used)] = COLOURS[[(number - first) % len(COLOURS) for number in used]]
    for number, colour in own.items():
        table[number] = colour
    return table
