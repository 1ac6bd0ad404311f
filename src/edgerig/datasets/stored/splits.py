"""The splits of a version's entries: as they say, and cut by the hash of their names where they say nothing."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.datasets.base import SPLITS, SplitName
from edgerig.datasets.splits import split_by_name
from edgerig.errors import DatasetError
from edgerig.store import Entry


def split_entries(entries: Sequence[Entry], test: float, validation: float) -> dict[SplitName, list[Entry]]:
    """The entries of each split, sorted by name.

    Where no entry says a split, each class is cut by the hash of its entries' names. Where some say one, the others are
    for training; and of those for training a part is to validate with, where none is said to be.

    Args:
        test, validation: Shares of each class, where they are cut.

    Raises:
        DatasetError: An entry says a split that there is not.
    """
    result: dict[SplitName, list[Entry]] = {split: [] for split in SPLITS}
    stray = next((entry for entry in entries if entry.split not in (None, *SPLITS)), None)
    if stray is not None:
        raise DatasetError(f"{stray.name} is of the split {stray.split!r}.", f"Splits are {', '.join(SPLITS)}.")
    said = {split: [entry for entry in entries if entry.split == split] for split in SPLITS}
    rest = [entry for entry in entries if entry.split is None]
    if not any(said.values()):
        shares: dict[SplitName, float] = {"test": test, "validation": validation}
        _cut(rest, shares, result)
        return result
    result["test"] = said["test"]
    training = sorted([*said["train"], *rest], key=lambda entry: entry.name)
    if said["validation"]:
        result["train"], result["validation"] = training, said["validation"]
    else:
        _cut(training, {"validation": validation}, result)
    return result


def _cut(entries: Sequence[Entry], shares: dict[SplitName, float], result: dict[SplitName, list[Entry]]) -> None:
    """Add entries to the splits of ``result``, each class cut by the same shares."""
    for label in sorted({entry.label or "" for entry in entries}):
        own = [entry for entry in entries if (entry.label or "") == label]
        parts = split_by_name([entry.name for entry in own], list(shares.values()))
        names: tuple[SplitName, ...] = ("train", *shares)
        for split, indices in zip(names, parts, strict=True):
            result[split] += [own[index] for index in indices]
    for members in result.values():
        members.sort(key=lambda entry: entry.name)
