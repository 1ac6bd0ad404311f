"""The class dictionary: which train id and colour the objects of annotations have.

::

    {"background": 0, "ignore": 255, "classes": 2,
     "objects": [{"id": 3, "name": "car", "trainId": 1, "category": "vehicle", "display": true, "color": [0, 0, 142]}]}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from edgerig import files
from edgerig.datasets.labels.checks import check_name
from edgerig.errors import DatasetError

#: What a pixel of a class map holds.
Number = Annotated[int, msgspec.Meta(ge=0, le=255)]


class DictionaryObject(msgspec.Struct, frozen=True, kw_only=True, rename={"train_id": "trainId"}):
    """A kind of object.

    Attributes:
        id: As the annotations number it.
        train_id: The number that a network learns; several objects may share it.
        category: A group of objects.
        display: Whether it is drawn over pictures.
        color: Red, green, blue.
    """

    id: int
    name: str
    train_id: Number
    category: str = ""
    display: bool = True
    color: tuple[Number, Number, Number] | None = None


class ClassDictionary(msgspec.Struct, frozen=True, kw_only=True):
    """Classes of a segmentation network.

    Attributes:
        background, ignore: Train ids of pixels in no object, and of those that are not judged.
        classes: How many there are; train ids are less, or ``ignore``.
    """

    background: Number = 0
    ignore: Number = 255
    classes: Annotated[int, msgspec.Meta(ge=1, le=256)]
    objects: tuple[DictionaryObject, ...]


def read_dictionary(path: Path) -> ClassDictionary:
    """A class dictionary out of a file.

    Raises:
        DatasetError: It cannot be read, has another form, or contradicts itself.
    """
    try:
        dictionary = msgspec.json.decode(files.without_mark(path.read_bytes()), type=ClassDictionary)
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{path} is no class dictionary: {error}.", "It has 'background', 'ignore', 'classes' and 'objects'."
        ) from error
    seen: set[str] = set()
    for entry in dictionary.objects:
        check_name(entry.name, str(path))
        if entry.name in seen:
            raise DatasetError(f"{path} has the object {entry.name!r} twice.", "Give each its own name.")
        seen.add(entry.name)
        if entry.train_id >= dictionary.classes and entry.train_id != dictionary.ignore:
            raise DatasetError(
                f"{path}: {entry.name!r} has the trainId {entry.train_id}; there are {dictionary.classes} classes.",
                f"Train ids count from 0; {dictionary.ignore} is for what is not judged.",
            )
    return dictionary
