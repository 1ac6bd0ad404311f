"""The labels of one image as JSON whose bytes are the same for the same labels, so that their SHA-256 names them.

::

    {"height": 480, "shapes": [{"box": [8.0, 2.5, 30.0, 12.0], "class": "car"}, {"class": "road", "runs": [0, 307200]}],
     "version": 1, "width": 640}

Keys are sorted, there are no blanks, coordinates are written as reals, and what has its usual value is left out.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from edgerig import files
from edgerig.datasets.labels.checks import check_labels
from edgerig.datasets.labels.shapes import ImageLabels, Shape
from edgerig.errors import DatasetError

#: Of the form; a reader refuses those that it does not know.
VERSION = 1
#: Longest document that is read, in bytes.
LONGEST = 256 * 2**20


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    width: int
    height: int
    shapes: tuple[Shape, ...]


def to_json(labels: ImageLabels, where: str = "the labels") -> bytes:
    """The labels of an image as canonical JSON.

    Raises:
        DatasetError: They do not fit their image; ``where`` names it.
    """
    check_labels(labels, where)
    # Through its types, which makes reals of integers where coordinates are meant.
    exact = msgspec.convert(msgspec.to_builtins(labels), ImageLabels)
    return files.canonical_json(_no_negative_zero({"version": VERSION, **msgspec.to_builtins(exact)}))


def from_json(data: bytes, where: str = "the labels") -> ImageLabels:
    """The labels of an image, from what `to_json` has written.

    Raises:
        DatasetError: They are of another form or version, or do not fit their image; ``where`` names them.
    """
    if len(data) > LONGEST:
        raise DatasetError(f"{where} are {len(data):,} bytes long; at most {LONGEST:,} are read.")
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{where} are no labels of version {VERSION}: {error}.",
            "They were cut off, are something else, or were written by a newer edgerig.",
        ) from error
    labels = ImageLabels(width=document.width, height=document.height, shapes=document.shapes)
    check_labels(labels, where)
    return labels


def _no_negative_zero(value: Any) -> Any:
    """The same value with 0.0 for -0.0, which is equal and would be other bytes."""
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, dict):
        return {key: _no_negative_zero(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_no_negative_zero(item) for item in value]
    return value
