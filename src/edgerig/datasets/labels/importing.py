"""Labels and their pictures into a new version of a dataset in a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from edgerig.datasets.image_checks import usable
from edgerig.datasets.images import SUFFIXES, image_size
from edgerig.datasets.labels.canonical import to_json
from edgerig.datasets.labels.crossings import has_crossings
from edgerig.datasets.labels.exporting import usual_ids
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import ImageLabels, LabelSet
from edgerig.datasets.labels.turning import Exif, upright
from edgerig.errors import DatasetError
from edgerig.progress import Progress
from edgerig.store.adding import Added, add_files
from edgerig.store.transfer import LocalFile
from edgerig.store.types import ClassInfo, Header
from edgerig.store.versions import Versions
from edgerig.text import counted

_NOTHING = ClassInfo()


class Imported(msgspec.Struct, frozen=True):
    """What was imported.

    Attributes:
        added: The version.
        objects: How many objects the images have together.
        notes: What is left out or changed, a sentence each.
    """

    added: Added
    objects: int
    notes: tuple[str, ...]


def import_labels(
    versions: Versions,
    labels: LabelSet,
    images: Path,
    progress: Progress,
    *,
    base: int | None = None,
    replace: bool = False,
    repair: bool = False,
    note: str = "",
    split: str | None = None,
    exif: Exif | None = None,
    skip: bool = False,
    numbered: bool = False,
    class_info: Mapping[str, ClassInfo] | None = None,
) -> Imported:
    """Send pictures and their labels, and commit them as a new version.

    Args:
        versions: Of the dataset.
        labels: Of the pictures; categories are the dataset's classes.
        images: The folder of the pictures.
        base, replace, repair, note, class_info: As of `edgerig.store.adding.add_files`.
        split: Of all pictures.
        exif: What the labels of pictures that an EXIF orientation turns are of.
        skip: Leave out pictures that are missing or not of their labels' size, and count them in the notes.
        numbered: Whether the user has said the numbers of classes, which the dataset then must not give to others.

    Raises:
        DatasetError: A picture is missing, broken, or of another size than its labels; classes have other numbers.
        StoreError, ConflictError: The store refuses; others changed the same pictures.
    """
    classes = tuple(category.name for category in labels.categories)
    known = _known(versions, base)
    if numbered:
        _check_order(known.classes if known is not None else (), classes, versions.address)
    info = _told_from_usual(class_info or {}, known, classes)
    problems = Problems(skip=skip)
    local = usable(_checked_pictures(labels, images, split, exif, problems, progress), problems, progress)
    shapes = [shape for file in local for shape in labels.images[file.name].shapes]
    crossing = sum(has_crossings(shape) for shape in shapes)
    problems.change("Outlines that cross themselves, whose parts count by the even-odd rule: {}.", crossing)
    others = _others(images, labels)
    problems.change("Not imported, as without labels: {}.", others, "picture")
    notes = (*labels.notes, *problems.notes())
    if not local:
        raise DatasetError(
            f"None of {counted(len(labels.images), 'picture')} can be used.", notes[-1] if notes else None
        )
    added = add_files(
        versions,
        local,
        classes,
        progress,
        base=base,
        replace=replace,
        repair=repair,
        class_info=info,
        note=note,
    )
    return Imported(added, len(shapes), notes)


def _checked_pictures(
    labels: LabelSet, images: Path, split: str | None, exif: Exif | None, problems: Problems, progress: Progress
) -> list[LocalFile]:
    """The pictures of a folder that fit their labels, with these in edgerig's own form."""
    local: list[LocalFile] = []
    with progress.task("Checking pictures and labels", len(labels.images)) as task:
        for name, image in labels.images.items():
            path = images / name
            checked = problems.guard(lambda p=path, i=image: _checked(p, i, exif))  # type: ignore[misc]
            if checked is not None:
                local.append(LocalFile(path=path, name=name, split=split, annotation=to_json(checked, str(path))))
            task.advance()
    return local


def _checked(path: Path, labels: ImageLabels, exif: Exif | None) -> ImageLabels:
    """The labels of the picture as it is seen.

    Raises:
        DatasetError: The picture is not there, or not of their size.
    """
    if not path.is_file():
        raise DatasetError(f"There is no picture {path}.", "Name the folder of the pictures: --images.")
    return upright(labels, image_size(path), path, exif)


def _others(images: Path, labels: LabelSet) -> int:
    """How many pictures of the folder have no labels."""
    there = (path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sum(path.relative_to(images).as_posix() not in labels.images for path in there)


def _known(versions: Versions, base: int | None) -> Header | None:
    number = versions.latest() if base is None else base
    return versions.header(number) if number is not None else None


def _told_from_usual(
    info: Mapping[str, ClassInfo], known: Header | None, classes: Sequence[str]
) -> dict[str, ClassInfo]:
    """What is to be stored of classes: without ids that they get anyhow, so that what is exported and imported is
    nothing new."""
    names, stored = (known.classes, known.class_info) if known is not None else ((), {})
    usual = usual_ids([*names, *(name for name in classes if name not in names)])
    changed = {
        name: msgspec.structs.replace(each, id=None)
        if each.id == usual.get(name) and stored.get(name, _NOTHING).id is None
        else each
        for name, each in info.items()
    }
    return {name: each for name, each in changed.items() if each != _NOTHING}


def _check_order(known: Sequence[str], classes: Sequence[str], address: str) -> None:
    """Refuse classes that would get other numbers than they have in the dataset's file of classes."""
    merged = [*known, *(name for name in classes if name not in known)]
    if known and merged[: len(classes)] != list(classes):
        raise DatasetError(
            f"{address} has the classes {', '.join(known)}; these labels have {', '.join(classes)}.",
            "Networks know classes by their number: give the dataset's own in their order and new ones behind them "
            "(--classes), or import to another dataset.",
        )
