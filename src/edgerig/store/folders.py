"""What files of a folder become which entries: folders of classes, perhaps within folders of splits, or files alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from edgerig.errors import StoreError, UsageError
from edgerig.files import hint_for_missing
from edgerig.store.names import collisions, fault_of
from edgerig.store.transfer import LocalFile
from edgerig.text import one_line

SplitName = Literal["train", "validation", "test"]

#: Folder names that stand for a split where a folder holds ``train`` and ``test``.
SPLIT_FOLDERS: dict[SplitName, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "val", "valid"),
    "test": ("test",),
}


class FolderFiles(msgspec.Struct, frozen=True):
    """What a folder holds.

    Attributes:
        files: Its files, sorted by name, with split and label where its folders say them.
        classes: The names of its classes, sorted; empty where there are none.
        skipped: How many files were left out, by suffix.
        colliding: Pairs of names that are one file on disks where case does not count.
    """

    files: tuple[LocalFile, ...]
    classes: tuple[str, ...]
    skipped: dict[str, int]
    colliding: tuple[tuple[str, str], ...]


def folder_files(
    root: Path, *, suffixes: Collection[str] | None = None, labelled: bool | None = None, split: str | None = None
) -> FolderFiles:
    """The files of a folder and the folders in it; hidden ones are left out.

    Args:
        root: The folder.
        suffixes: Of the files to take, in lower case, such as ``.png``; None for all.
        labelled: Whether the folders in it are classes; by default they are where no file lies beside them.
        split: The split of all files; by default that of the folder ``train``, ``validation`` or ``test`` they are in.

    Raises:
        UsageError: There is no such folder, or nothing in it.
        StoreError: A name cannot be one of a dataset; names it.
    """
    if not root.is_dir():
        hint = "Name a folder of pictures, or of folders of them by class."
        what = f"{root} is a file, not a folder." if root.exists() else f"There is no folder {root}."
        raise UsageError(what, hint_for_missing(root, hint))
    names: list[str] = []
    skipped: Counter[str] = Counter()
    for name in _walk(root):
        if _is_special(root / name):
            skipped["pipe or device"] += 1
            continue
        suffix = PurePosixPath(name).suffix.lower()
        if suffixes is not None and suffix not in suffixes:
            skipped[suffix or "no suffix"] += 1
            continue
        fault = fault_of(name)
        if fault is not None:
            raise StoreError(f"The name {one_line(name, 100)!r} in {root} {fault}.", "Rename that file.")
        names.append(name)
    if not names:
        others = f" of these kinds, but {sum(skipped.values()):,} others" if skipped else ""
        raise UsageError(f"{root} holds no files{others}.", f"Kinds: {', '.join(suffixes)}." if suffixes else None)
    names.sort()
    splits = _split_folders(names)
    if labelled is None:
        labelled = all(name.count("/") > bool(splits) for name in names)
    files = tuple(_local_file(root, name, splits, labelled, split) for name in names)
    classes = tuple(sorted({file.label for file in files if file.label is not None}))
    return FolderFiles(files, classes, dict(skipped), tuple(collisions(names)))


def _walk(root: Path) -> Iterator[str]:
    """Paths of files below a folder, with ``/`` between their parts; links to folders are not followed."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(folder).relative_to(root).as_posix()
        for name in files:
            if not name.startswith(".") and name != "Thumbs.db":
                yield name if inside == "." else f"{inside}/{name}"


def _is_special(path: Path) -> bool:
    """Whether it is neither a file nor a broken link, which is an error: reading a pipe waits for whoever writes."""
    return path.exists() and not path.is_file()


def _split_folders(names: list[str]) -> dict[str, SplitName]:
    """The split that each first folder stands for; empty where not all files lie in such folders, or not in two."""
    by_folder = {folder: split for split, folders in SPLIT_FOLDERS.items() for folder in folders}
    first = {name.partition("/")[0] if "/" in name else "" for name in names}
    return {folder: by_folder[folder] for folder in first} if len(first) > 1 and first <= by_folder.keys() else {}


def _local_file(root: Path, name: str, splits: dict[str, SplitName], labelled: bool, split: str | None) -> LocalFile:
    parts = name.split("/")
    own_split = splits.get(parts[0]) if splits else None
    inner = parts[1:] if splits else parts
    label = inner[0] if labelled and len(inner) > 1 else None
    return LocalFile(path=root / name, name=name, split=split or own_split, label=label)
