"""Masks as lengths of runs, column by column, beginning with pixels outside of the mask, as COCO has them.

Lengths are canonical where only the first may be 0. All functions take and return int64 arrays of shape (n,).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgerig.errors import DatasetError

Lengths = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: COCO's text has 5 bits a character; bit 5 says that more of the number follows; characters count from "0".
_BITS, _MORE, _SIGN, _FIRST = 5, 0x20, 0x10, 48
#: Characters of the largest number that fits a mask.
_MOST_CHARACTERS = 7


def encode(mask: NDArray[Any]) -> Lengths:
    """The runs of a mask of shape (H, W); what is not 0 is in it.

    >>> encode(np.array([[1, 0], [1, 1]])).tolist()
    [0, 2, 1, 1]
    """
    flat = np.asarray(mask, bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return from_boundaries(np.concatenate([[0], changes]) if flat[0] else changes, flat.size)


def decode(lengths: ArrayLike, height: int, width: int) -> Mask:
    """The mask of shape (H, W) whose runs these are; they have been checked to fit."""
    counts = np.asarray(lengths, np.int64)
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(width, height).T


def from_boundaries(boundaries: NDArray[np.int64], size: int) -> Lengths:
    """Runs that change at these positions, ascending and without repetition, of ``size`` pixels."""
    ends = boundaries if len(boundaries) and boundaries[-1] == size else np.append(boundaries, size)
    return np.diff(ends, prepend=0).astype(np.int64)


def check(lengths: ArrayLike, height: int, width: int, where: str) -> Lengths:
    """The same runs, canonical.

    Raises:
        DatasetError: One is negative, or they do not add up to the pixels of the image; ``where`` names it.
    """
    try:
        counts = np.asarray(lengths, np.int64)
    except OverflowError as error:
        raise DatasetError(f"{where} has a run that is longer than any image.", "Write the mask anew.") from error
    if counts.ndim != 1 or not counts.size:
        raise DatasetError(f"{where} has no run lengths.", "An empty mask is one run of all pixels.")
    if counts.min() < 0:
        raise DatasetError(f"{where} has a run of {counts.min():,} pixels.", "Write the mask anew.")
    total, pixels = sum(counts.tolist()), height * width
    if total != pixels:
        fault = "overruns its image" if total > pixels else "falls short of its image"
        raise DatasetError(
            f"{where} {fault}: its runs add up to {total:,} pixels, {width} x {height} are {pixels:,}.",
            "It belongs to an image of another size, or was cut off.",
        )
    return counts if (counts[1:] > 0).all() else _from_intervals(*_intervals(counts), pixels)


def union(parts: Sequence[Lengths]) -> Lengths:
    """The runs of what is in any of several masks of one size.

    >>> union([np.array([1, 2, 3]), np.array([3, 2, 1])]).tolist()
    [1, 4, 1]
    """
    if len(parts) == 1:
        return parts[0]
    pairs = [_intervals(part) for part in parts]
    starts = np.sort(np.concatenate([start for start, _ in pairs]))
    ends = np.sort(np.concatenate([end for _, end in pairs]))
    return _from_intervals(starts, ends, int(parts[0].sum()))


def difference(whole: Lengths, part: Lengths) -> Lengths:
    """The runs of what is in ``whole`` and not in ``part``."""
    return complement(union([complement(whole), part]))


def complement(lengths: Lengths) -> Lengths:
    """The runs of what is not in a mask."""
    return lengths[1:] if lengths[0] == 0 and len(lengths) > 1 else np.concatenate([[0], lengths])


def area(lengths: ArrayLike) -> int:
    """Pixels of a mask."""
    return int(np.asarray(lengths, np.int64)[1::2].sum())


def bounds(lengths: ArrayLike, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of a mask in an image of that height; None where it is empty."""
    starts, ends = _intervals(np.asarray(lengths, np.int64))
    if not len(starts):
        return None
    left, right = int(starts[0] // height), int((ends[-1] - 1) // height)
    first, last = starts % height, (ends - 1) % height
    # A run over the end of a column touches the bottom, and the top of the next.
    over = starts // height != (ends - 1) // height
    top = 0 if over.any() else int(first.min())
    bottom = height - 1 if over.any() else int(last.max())
    return left, top, right - left + 1, bottom - top + 1


def compress(lengths: ArrayLike) -> str:
    """Runs as COCO's text: from the fourth on each length less the one two before, in groups of 5 bits.

    >>> compress([6, 1, 40, 4, 5])
    '61X13mN'
    """
    counts = np.asarray(lengths, np.int64)
    deltas = counts.copy()
    deltas[3:] -= counts[1:-2]
    groups = np.arange(_MOST_CHARACTERS)
    limits = np.int64(1) << (_BITS * (groups + 1) - 1)
    used = (deltas[:, None] >= limits).sum(1).clip(min=(deltas[:, None] < -limits).sum(1))
    codes = (deltas[:, None] >> (_BITS * groups)) & 0x1F
    codes |= np.where(groups < used[:, None], _MORE, 0)
    return bytes((codes + _FIRST)[groups <= used[:, None]].astype(np.uint8)).decode("ascii")


def decompress(text: str, where: str) -> Lengths:
    """The runs of COCO's text.

    Raises:
        DatasetError: It is no such text; ``where`` names it.
    """
    codes = np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int64) - _FIRST
    last = np.flatnonzero((codes & _MORE) == 0)
    if not codes.size or codes.min() < 0 or codes.max() >= 2 * _MORE or not last.size or last[-1] != codes.size - 1:
        raise DatasetError(f"{where} is no text of compressed run lengths, or was cut off.", "Write the mask anew.")
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() >= _MOST_CHARACTERS:
        raise DatasetError(f"{where} has a run that is longer than any image.", "Write the mask anew.")
    shifts = _BITS * (np.arange(codes.size) - np.repeat(first, last - first + 1))
    values = np.add.reduceat((codes & 0x1F) << shifts, first)
    values -= np.where(codes[last] & _SIGN, np.int64(1) << (shifts[last] + _BITS), 0)
    values[1::2], values[2::2] = np.cumsum(values[1::2]), np.cumsum(values[2::2])
    return values


def _intervals(lengths: Lengths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the runs within a mask begin and end; those of no pixels are left out."""
    ends = np.cumsum(lengths)[1::2]
    inside = lengths[1::2] > 0
    return (ends - lengths[1::2])[inside], ends[inside]


def _from_intervals(starts: NDArray[np.int64], ends: NDArray[np.int64], size: int) -> Lengths:
    """The runs of intervals that may overlap; starts and ends are each ascending."""
    if not len(starts):
        return np.array([size], np.int64)
    # Nothing covers the pixels between the end of the first n intervals and the start of the next.
    apart = starts[1:] > ends[:-1]
    edges = np.empty(2 * (1 + int(apart.sum())), np.int64)
    edges[0::2] = np.concatenate([starts[:1], starts[1:][apart]])
    edges[1::2] = np.concatenate([ends[:-1][apart], ends[-1:]])
    return from_boundaries(edges, size)
