"""A version of a dataset in a store as pictures and labels in the format of an annotation tool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from edgerig.datasets.labels.canonical import from_json
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import BACKGROUND, IGNORE, IGNORE_NUMBER, Category, ImageLabels, LabelSet
from edgerig.errors import DatasetError, storing
from edgerig.progress import Progress
from edgerig.store import ClassInfo, Entry, Store, Versions
from edgerig.store.parallel import in_parallel
from edgerig.store.transfer import download

#: Writes labels into a folder, and returns what is lost or changed.
Write = Callable[[LabelSet, Path], tuple[str, ...]]

_NOTHING = ClassInfo()


class Exported(msgspec.Struct, frozen=True):
    """What was exported.

    Attributes:
        version: The number of the version.
        images, objects: How many there are.
        notes: What is left out or changed, a sentence each.
    """

    version: int
    images: int
    objects: int
    notes: tuple[str, ...]


def export_labels(
    versions: Versions,
    number: int | None,
    folder: Path,
    write: Write,
    progress: Progress,
    *,
    images: str = "images",
    split: str | None = None,
) -> Exported:
    """Write the labels and pictures of a version into a folder, which is made or empty.

    Args:
        versions: Of the dataset.
        number: Of the version; None for the newest.
        folder: To write into.
        write: The writer of a format.
        images: The folder of the pictures in it.
        split: Only the pictures of that one.

    Raises:
        DatasetError: Nothing has labels, or the folder is not empty.
        StoreError: The version, its labels or pictures cannot be read.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"{folder} is not empty.", "Name a new folder: labels that lie there would mix with these.")
    version = versions.read(number)
    chosen = [entry for entry in version.entries if split in (None, entry.split)]
    labelled = [entry for entry in chosen if entry.annotation is not None]
    problems = Problems()
    problems.change("Left out, as without labels: {}.", len(chosen) - len(labelled), "picture")
    if split is None:
        problems.change(
            "Splits are not written: {} of one (--split).", sum(e.split is not None for e in chosen), "picture"
        )
    if not labelled:
        where = f" in {split}" if split else ""
        raise DatasetError(
            f"{versions.address}@{version.version} has no pictures with boxes, polygons or masks{where}.",
            "Label them (edgerig label), or import labels (edgerig data import --help).",
        )
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    by_name = read_labels(versions.store, labelled, progress)
    categories = categories_of(version.classes, by_name.values(), version.header.class_info)
    labels = LabelSet(categories=categories, images=by_name)
    notes = write(labels, folder)
    download(versions.store, labelled, folder / images, progress)
    objects = sum(len(image.shapes) for image in by_name.values())
    return Exported(version.version, len(labelled), objects, (*problems.notes(), *notes))


def read_labels(store: Store, entries: Sequence[Entry], progress: Progress) -> dict[str, ImageLabels]:
    """The labels of entries that have some, by the entry's name, in the order given.

    Raises:
        DatasetError: They are damaged; names the entry.
        StoreError: They are not there.
    """
    by_hash: dict[str, ImageLabels] = {}
    hashes = {entry.annotation: entry.name for entry in entries if entry.annotation is not None}
    with progress.task("Reading labels", len(hashes)) as task:
        for sha256, data in in_parallel(lambda sha256: (sha256, store.objects.get(sha256)), list(hashes)):
            by_hash[sha256] = from_json(data, f"the labels of {hashes[sha256]}")
            task.advance()
    return {entry.name: by_hash[entry.annotation] for entry in entries if entry.annotation is not None}


def usual_ids(classes: Sequence[str]) -> dict[str, int]:
    """The ids of classes that have none of their own: their numbers where the first is the background, else from 1."""
    first = 0 if classes and classes[0] == BACKGROUND else 1
    return {name: first + number for number, name in enumerate(classes)}


def categories_of(
    classes: Sequence[str], images: Iterable[ImageLabels], info: Mapping[str, ClassInfo]
) -> tuple[Category, ...]:
    """Categories for a dataset's classes, with the ids, colours and groups that they were imported with.

    Others have the usual ids, as far as these are free.
    What is not judged is one of its own, where some object is so.
    """
    usual = usual_ids(classes)
    if any(shape.category == IGNORE for image in images for shape in image.shapes):
        usual[IGNORE] = max(IGNORE_NUMBER, 1 + len(classes))
    ids: dict[str, int] = {}
    for name in usual:
        own = info.get(name, _NOTHING).id
        if own is not None and own not in ids.values():
            ids[name] = own
    taken = set(ids.values())
    for name, number in usual.items():
        if name not in ids:
            ids[name] = number if number not in taken else max(taken) + 1
            taken.add(ids[name])
    return tuple(
        Category(
            id=ids[name],
            name=name,
            train_id=IGNORE_NUMBER if name == IGNORE else number,
            color=info.get(name, _NOTHING).color,
            supercategory=info.get(name, _NOTHING).group,
        )
        for number, name in enumerate(usual)
    )
