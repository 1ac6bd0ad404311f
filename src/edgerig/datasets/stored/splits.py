"""The splits of a version's entries: as they say, and cut by the hash of their names where they say nothing.

A content is in one split, whatever number of names it has: a network is not to be tested with what it has learned.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import cast

from edgerig.datasets.base import SPLITS, SplitName
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError
from edgerig.store import Entry
from edgerig.text import counted

_logger = logging.getLogger(__name__)


def split_entries(entries: Sequence[Entry], test: float, validation: float) -> dict[SplitName, list[Entry]]:
    """The entries of each split, sorted by name.

    Where no entry says a split, each class is cut by the hash of its entries' names. Where some say one, the others are
    for training; and of those for training a part is to validate with, where none is said to be. Entries of the same
    content go into the same split, except where they say different ones: of that a warning is logged.

    Args:
        test, validation: Shares of each class, where they are cut.

    Raises:
        DatasetError: An entry says a split that there is not.
    """
    result: dict[SplitName, list[Entry]] = {split: [] for split in SPLITS}
    stray = next((entry for entry in entries if entry.split not in (None, *SPLITS)), None)
    if stray is not None:
        raise DatasetError(f"{stray.name} is of the split {stray.split!r}.", f"Splits are {', '.join(SPLITS)}.")
    _warn_of_contradictions(entries)
    if not any(entry.split for entry in entries):
        _cut(entries, {"test": test, "validation": validation}, result)
        return result
    for entry, split in _as_said(entries):
        result[split].append(entry)
    if not result["validation"]:
        training, result["train"] = result["train"], []
        _cut(training, {"validation": validation}, result)
    for members in result.values():
        members.sort(key=lambda entry: entry.name)
    _warn_of_leaks(result)
    return result


def _as_said(entries: Sequence[Entry]) -> Iterator[tuple[Entry, SplitName]]:
    """Each entry with its split; of one that says none, where its content is to judge with, or else for training."""
    judging: dict[str, SplitName] = {}
    for split in ("validation", "test"):
        judging |= {entry.sha256: cast(SplitName, split) for entry in entries if entry.split == split}
    for entry in entries:
        yield entry, cast(SplitName, entry.split or judging.get(entry.sha256, "train"))


def _cut(entries: Sequence[Entry], shares: dict[SplitName, float], result: dict[SplitName, list[Entry]]) -> None:
    """Add entries to the splits of ``result``, the contents of each class cut by the same shares."""
    first: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        first.setdefault(entry.sha256, entry)
    splits: dict[str, SplitName] = {}
    for label in sorted({entry.label or "" for entry in first.values()}):
        own = [entry for entry in first.values() if (entry.label or "") == label]
        parts = split_by_name([entry.name for entry in own], list(shares.values()))
        names: tuple[SplitName, ...] = ("train", *shares)
        for split, indices in zip(names, parts, strict=True):
            splits |= {own[index].sha256: split for index in indices}
    for entry in entries:
        result[splits[entry.sha256]].append(entry)
    for members in result.values():
        members.sort(key=lambda entry: entry.name)


def _warn_of_leaks(result: dict[SplitName, list[Entry]]) -> None:
    learned = {entry.sha256: entry.name for entry in result["train"]}
    for split in ("test", "validation"):
        leaks = [entry for entry in result[split] if entry.sha256 in learned]
        if leaks:
            _logger.warning(
                "%s of the split %s are in the split train as well, byte for byte: results are too good. "
                "The first one is %s, which is %s.",
                counted(len(leaks), "picture"),
                split,
                leaks[0].name,
                learned[leaks[0].sha256],
            )


def _warn_of_contradictions(entries: Sequence[Entry]) -> None:
    first: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        first.setdefault(entry.sha256, entry)
    against = [
        entry
        for entry in sorted(entries, key=lambda entry: entry.name)
        if (entry.label, entry.annotation) != (first[entry.sha256].label, first[entry.sha256].annotation)
    ]
    if against:
        _logger.warning(
            "%s labelled otherwise than the same content under another name, such as %s and %s. "
            "Whoever moves a picture to another class imports with --replace.",
            f"{counted(len(against), 'picture')} {'is' if len(against) == 1 else 'are'}",
            first[against[0].sha256].name,
            against[0].name,
        )
