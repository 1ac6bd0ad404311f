"""What all builders have in common: samples that are not read yet, and a fair draw of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgerig.datasets.base import SplitName
from edgerig.datasets.splits import stable_permutation


class Candidate(NamedTuple):
    """A sample that could be written: its file's name, its class, and how its values are made."""

    name: str
    label: int
    values: Callable[[], NDArray[Any]]


#: The candidates of a data set by the part that they belong to; without those to train with where they are not wanted.
Candidates = dict[SplitName, list[Candidate]]


def drawn(candidates: Sequence[Candidate], count: int, seed: int = 0) -> list[Candidate]:
    """``count`` candidates, the classes in turn as long as they last, those of a class in a seeded order.

    All where there are no more.
    """
    by_label: dict[int, list[Candidate]] = {}
    for index in stable_permutation(len(candidates), seed):
        by_label.setdefault(candidates[index].label, []).append(candidates[index])
    chosen: list[Candidate] = []
    rank = 0
    while len(chosen) < min(count, len(candidates)):
        row = [by_label[label][rank] for label in sorted(by_label) if rank < len(by_label[label])]
        chosen += row[: count - len(chosen)]
        rank += 1
    return chosen


def in_turn(labels: Sequence[int], shares: Sequence[float], seed: int = 0) -> list[list[int]]:
    """Indices divided by shares within each class, in a seeded order; the last part gets the rest."""
    order = stable_permutation(len(labels), seed)
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for label in sorted(set(labels)):
        own = [int(index) for index in order if labels[index] == label]
        bounds = np.cumsum([0, *(round(len(own) * share) for share in shares), len(own)])
        for part, (first, last) in enumerate(zip(bounds[:-1], np.minimum(bounds[1:], len(own)), strict=True)):
            parts[part] += own[first:last]
    return [sorted(part) for part in parts]
