"""Which class of a network an annotated category is: from a class dictionary, a list of names, or names with numbers.

The three forms of a file of classes::

    {"background": 0, "ignore": 255, "classes": 4, "objects": [{"id": 1, "name": "person", "trainId": 1, ..}, ..]}
    ["background", "person", "car"]
    {"person": 1, "car": 2, "truck": 2, "blurred": 255}

In the last one classes of one number are one class, called as the first of them, and 0 is the background where no name
has it; 255 is for what is not judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edgerig import files
from edgerig.datasets.labels.checks import check_name
from edgerig.datasets.labels.class_dictionary import ClassDictionary, read_dictionary
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, Category, ImageLabels, LabelSet
from edgerig.errors import DatasetError
from edgerig.store.types import ClassInfo
from edgerig.text import counted

#: Categories that a message lists.
_LISTED = 30


class ClassMapping(msgspec.Struct, frozen=True):
    """Classes, and which of them the categories of annotations are.

    Attributes:
        classes: Names in the order of their numbers.
        names: The class of each category, by name; `IGNORE` for what is not judged.
        colors: Of classes, where they are known.
        info: What else is said of classes, where something is.
        ignore: What a pixel of a class map holds that is not judged.
    """

    classes: tuple[str, ...]
    names: Mapping[str, str]
    colors: Mapping[str, tuple[int, int, int]] = {}
    info: Mapping[str, ClassInfo] = {}
    ignore: int = IGNORE_NUMBER


def read_classes(path: Path) -> ClassMapping:
    """The classes of a file in one of the three forms.

    Raises:
        DatasetError: It cannot be read, or has another form, or gaps in its numbers.
    """
    try:
        value = msgspec.json.decode(files.without_mark(path.read_bytes()))
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} is no JSON: {error}.", "A list of names will do.") from error
    if isinstance(value, dict) and "objects" in value:
        return of_dictionary(read_dictionary(path), str(path))
    if isinstance(value, dict):
        return of_numbers(value, str(path))
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        raise DatasetError(f"{path} is no list of names.", 'As in ["background", "car"], or {"car": 1}.')
    return of_names(value, str(path))


def of_names(names: Sequence[str], where: str) -> ClassMapping:
    """Classes that are called as the categories are.

    Raises:
        DatasetError: A name is there twice, or is not usable.
    """
    for name in names:
        check_name(name, where)
    if len(set(names)) < len(names):
        raise DatasetError(f"{where} has a name twice: {', '.join(names)}.", "Give each class its own.")
    return _alike(names)


def of_numbers(numbers: Mapping[str, Any], where: str) -> ClassMapping:
    """Classes by the number of each category.

    Raises:
        DatasetError: A number is none, or there are gaps between them.
    """
    by_number: dict[int, str] = {}
    for name, number in numbers.items():
        check_name(name, where)
        if type(number) is not int or not 0 <= number <= IGNORE_NUMBER:
            raise DatasetError(f"{where}: {name!r} has the number {number!r}; they go from 0 to {IGNORE_NUMBER}.")
        by_number.setdefault(number, name)
    return _by_number(by_number, numbers, 0, IGNORE_NUMBER, where)


def of_dictionary(dictionary: ClassDictionary, where: str) -> ClassMapping:
    """Classes by the train ids of a class dictionary.

    A class of one object is called as that, one of several by their category where they share one. Its background and
    what it ignores are `BACKGROUND` and `IGNORE` here.

    Raises:
        DatasetError: Its train ids have gaps.
    """
    shared: dict[int, list[str]] = {}
    groups: dict[int, set[str]] = {}
    for entry in dictionary.objects:
        shared.setdefault(entry.train_id, []).append(entry.name)
        groups.setdefault(entry.train_id, set()).add(entry.category)
    by_number = {
        number: min(groups[number]) if len(names) > 1 and len(groups[number]) == 1 and min(groups[number]) else names[0]
        for number, names in shared.items()
    }
    by_number[dictionary.background] = BACKGROUND
    numbers = {entry.name: entry.train_id for entry in dictionary.objects}
    mapping = _by_number(by_number, numbers, dictionary.background, dictionary.ignore, where, least=dictionary.classes)
    colors: dict[str, tuple[int, int, int]] = {}
    info: dict[str, ClassInfo] = {}
    for entry in dictionary.objects:
        name = mapping.names[entry.name]
        if entry.color is not None:
            colors.setdefault(name, entry.color)
        info.setdefault(name, ClassInfo(id=entry.id, color=entry.color, group=entry.category))
    info = {name: msgspec.structs.replace(each, color=colors.get(name)) for name, each in info.items()}
    return msgspec.structs.replace(mapping, colors=colors, info=info, ignore=dictionary.ignore)


def of_labels(labels: LabelSet) -> ClassMapping:
    """Classes that are the categories of labels, in their order.

    Raises:
        DatasetError: One has no usable name, though no object may be of it.
    """
    names = [category.name for category in labels.categories]
    for name in names:
        check_name(name, "The file of labels")
    colors = {category.name: category.color for category in labels.categories if category.color is not None}
    return msgspec.structs.replace(_alike(names), colors=colors)


def apply(mapping: ClassMapping, labels: LabelSet, unknown: Literal["error", "ignore"] = "error") -> LabelSet:
    """The same labels with classes for categories.

    Args:
        mapping: The classes.
        labels: Of any categories.
        unknown: What becomes of objects whose category is not in ``mapping``: an error, or `IGNORE`.

    Raises:
        DatasetError: There are such objects; lists their categories.
    """
    strange = Counter(
        shape.category
        for image in labels.images.values()
        for shape in image.shapes
        if shape.category not in mapping.names
    )
    notes = list(labels.notes)
    if strange:
        listed = ", ".join(f"{name!r} ({count:,})" for name, count in strange.most_common(_LISTED))
        rest = f" and {len(strange) - _LISTED:,} more" if len(strange) > _LISTED else ""
        number = "category" if len(strange) == 1 else "categories"
        if unknown == "error":
            raise DatasetError(
                f"{counted(strange.total(), 'object')} of {len(strange):,} unknown {number}: {listed}{rest}.",
                "Name them in the file of classes, or leave them unjudged: --unknown ignore.",
            )
        notes.append(f"Not judged, as of unknown {number}: {counted(strange.total(), 'object')} ({listed}{rest}).")
    images = {name: _mapped(mapping, image) for name, image in labels.images.items()}
    categories = tuple(
        Category(id=number, name=name, train_id=number, color=mapping.colors.get(name))
        for number, name in enumerate(mapping.classes)
    )
    return LabelSet(categories=categories, images=images, notes=tuple(notes))


def class_info(mapping: ClassMapping, labels: LabelSet, *, numbered: bool) -> dict[str, ClassInfo]:
    """What is known of classes beside their names: what a class dictionary says, and the labels' categories.

    A class of several categories has the id and the group of the first, and the colour of the first that has one.

    Args:
        labels: Before `apply`.
        numbered: Whether the ids of their categories are the annotation tool's own.
    """
    info: dict[str, ClassInfo] = {}
    for category in labels.categories:
        name = mapping.names.get(category.name)
        if name is None:
            continue
        own = ClassInfo(id=category.id if numbered else None, color=category.color, group=category.supercategory)
        known = info.setdefault(name, own)
        if known.color is None:
            info[name] = msgspec.structs.replace(known, color=own.color)
    for name, said in mapping.info.items():
        known = info.get(name, ClassInfo())
        info[name] = ClassInfo(
            id=known.id if known.id is not None else said.id,
            color=said.color or known.color,
            group=said.group or known.group,
        )
    return {name: each for name, each in info.items() if each != ClassInfo()}


def pixel_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The classes of pixels: with `BACKGROUND` as the first, where none is called so.

    >>> pixel_classes(["car"]), pixel_classes(["car", "background"])
    (('background', 'car'), ('car', 'background'))
    """
    return tuple(classes) if BACKGROUND in classes else (BACKGROUND, *classes)


def _alike(names: Sequence[str]) -> ClassMapping:
    """Each category is a class of its own name."""
    return ClassMapping(tuple(name for name in names if name != IGNORE), {IGNORE: IGNORE, **{n: n for n in names}})


def _by_number(
    by_number: Mapping[int, str], numbers: Mapping[str, int], background: int, ignore: int, where: str, least: int = 1
) -> ClassMapping:
    """Classes out of their names by number, and of the number of each category."""
    called = {background: BACKGROUND, **by_number}
    called.pop(ignore, None)
    gap = min(set(range(max(least, 1 + max(called)))) - set(called), default=None)
    if gap is not None:
        raise DatasetError(f"{where} has no class of number {gap}.", "Number the classes from 0 without gaps.")
    classes = tuple(called[number] for number in range(len(called)))
    if len(set(classes)) < len(classes) or IGNORE in classes:
        raise DatasetError(f"{where} calls two classes alike, or one 'ignore': {', '.join(classes)}.", "Rename one.")
    names = {name: IGNORE if number == ignore else called[number] for name, number in numbers.items()}
    return ClassMapping(classes, {IGNORE: IGNORE, **names})


def _mapped(mapping: ClassMapping, image: ImageLabels) -> ImageLabels:
    shapes = [
        msgspec.structs.replace(shape, category=mapping.names.get(shape.category, IGNORE)) for shape in image.shapes
    ]
    return msgspec.structs.replace(image, shapes=tuple(shapes))
