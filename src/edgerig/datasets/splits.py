"""Reproducible selection of samples, equal on every machine: splits and calibration sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerig import files
from edgerig.datasets.base import Samples
from edgerig.errors import UsageError

Indices = NDArray[np.int64]


def stable_permutation(n: int, seed: int) -> Indices:
    """The indices 0 to n - 1 in an order that depends only on ``seed``.

    Made from the raw stream of PCG64, which numpy promises never to change; it makes no such promise for
    ``Generator.permutation``.
    """
    keys = np.asarray(np.random.PCG64(seed).random_raw(n), np.uint64)
    return np.argsort(keys, kind="stable").astype(np.int64)


def stratified_split(labels: Indices, share: float, seed: int) -> tuple[Indices, Indices]:
    """Split samples in two parts with the same share of each class.

    Args:
        labels: Shape (n,).
        share: Share of each class for the second part, in [0, 1); rounded to whole samples, halves to even.

    Returns:
        Indices of the first and of the second part, each ascending.
    """
    chosen = np.zeros(len(labels), bool)
    order = stable_permutation(len(labels), seed)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        chosen[own[: round(len(own) * share)]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def split_by_name(names: Sequence[str], shares: Sequence[float]) -> list[Indices]:
    """Split the files of one class by their names.

    Names are sorted by their SHA-256 and divided in that order; so a split depends only on the names, and adding a
    file moves few others. Each part with a share above 0 gets at least one file, as long as there are enough; of fewer
    files the first part gets one before all others, and the last part goes without.

    Args:
        names: The files' names, without the folder in which the dataset lies.
        shares: The shares of all parts but the first, which gets the rest.

    Returns:
        Indices for each of the ``len(shares) + 1`` parts, each ascending.
    """
    # A name on disk is a byte string and need not be UTF-8.
    order = sorted(range(len(names)), key=lambda i: files.sha256(names[i].encode(errors="surrogateescape")))
    counts = [max(1, round(len(names) * share)) if share > 0 else 0 for share in shares]
    # Rounding up several shares of a few files must leave at least one file for the first part.
    while sum(counts) >= max(1, len(names)):
        largest = max(counts)
        # Of equals the last one goes without; none of more than one file does.
        index = counts.index(largest) if largest > 1 else len(counts) - 1 - counts[::-1].index(1)
        counts[index] -= 1
    parts, start = [], 0
    for count in counts:
        parts.append(np.sort(np.asarray(order[start : start + count], np.int64)))
        start += count
    return [np.sort(np.asarray(order[start:], np.int64)), *parts]


def calibration_indices(samples: Samples, count: int, seed: int = 0) -> Indices:
    """Indices of ``count`` samples for calibration, with classes as evenly represented as possible.

    Classes alternate, each giving its samples in a seeded order; a class without samples left is skipped.

    Args:
        samples: Usually the training split.
        count: Number of samples; all if there are fewer.
        seed: Equal seeds draw equal samples on every machine.

    Raises:
        UsageError: ``count`` is not positive.
    """
    if count < 1:
        raise UsageError(f"Cannot calibrate with {count} samples.", "Give at least 1.")
    order = stable_permutation(len(samples), seed)
    labels = samples.labels[order]
    turn = np.empty(len(order), np.int64)
    for label in np.unique(labels):
        own = labels == label
        turn[own] = np.arange(int(own.sum()))
    # A stable sort: within one turn the seeded order decides which class comes first.
    return order[np.argsort(turn, kind="stable")][:count]
