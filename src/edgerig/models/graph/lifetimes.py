"""Lifetimes: spans of operators, and which of them overlap, without comparing every pair."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush

#: Overlapping pairs up to which placement orders are compared; beyond, `first_gaps` is used.
MOST_OVERLAPS = 1_000_000


class Lifetimes:
    """An index of spans (first, last), both included, that finds the inserted spans overlapping a span.

    Starts are numbered in order. An inserted span is stored in the nodes of a segment tree over these numbers that
    together cover it, and at its start: a span that overlaps another contains its start, or starts within it. A query
    takes the logarithm of the number of starts, and the number of results.
    """

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._starts = sorted({first for first, _ in spans})
        self._leaves = 1 << max(len(self._starts) - 1, 0).bit_length()
        self._holding: list[list[int]] = [[] for _ in range(2 * self._leaves)]
        self._starting: list[list[int]] = [[] for _ in self._starts]
        self._numbers = [
            (bisect_left(self._starts, first), bisect_right(self._starts, last) - 1) for first, last in spans
        ]

    def put(self, index: int) -> None:
        """Insert the span ``index`` of those given to the constructor."""
        first, last = self._numbers[index]
        self._starting[first].append(index)
        low, high = first + self._leaves, last + self._leaves + 1
        while low < high:
            if low & 1:
                self._holding[low].append(index)
                low += 1
            if high & 1:
                high -= 1
                self._holding[high].append(index)
            low, high = low >> 1, high >> 1

    def overlapping(self, index: int) -> list[int]:
        """The inserted spans that overlap the span ``index``, each once."""
        first, last = self._numbers[index]
        overlapping = []
        node = first + self._leaves
        while node:
            overlapping += self._holding[node]
            node >>= 1
        for start in range(first + 1, last + 1):
            overlapping += self._starting[start]
        return overlapping


def count_overlaps(spans: Iterable[tuple[int, int]]) -> int:
    """How many pairs of spans overlap."""
    pairs = list(spans)
    starts, ends = sorted(first for first, _ in pairs), sorted(last for _, last in pairs)
    # Of two spans that do not overlap, one ends before the other starts.
    return len(pairs) * (len(pairs) - 1) // 2 - sum(bisect_left(ends, first) for first in starts)


def most_alive(changes: dict[int, int], positions: Iterable[int] | None = None) -> tuple[int, int]:
    """The largest running sum, and the first position that reaches it.

    Args:
        changes: The change of the sum at each position.
        positions: The positions that count; by default all in ``changes``.
    """
    counted = None if positions is None else set(positions)
    alive = best = where = 0
    for position in sorted(changes):
        alive += changes[position]
        if alive > best and (counted is None or position in counted):
            best, where = alive, position
    return best, where


def first_gaps(spans: Sequence[tuple[int, int, int]]) -> list[int]:
    """Offsets of buffers (first, last, bytes): each in the first gap that is free when the buffer is first needed."""
    free = [(0, sum(nbytes for *_, nbytes in spans))]
    ends: list[tuple[int, int, int]] = []
    offsets = [0] * len(spans)
    for index in sorted(range(len(spans)), key=lambda i: (spans[i][0], -spans[i][2])):
        first, last, nbytes = spans[index]
        while ends and ends[0][0] < first:
            _, offset, size = heappop(ends)
            _give_back(free, offset, offset + size)
        if not nbytes:
            continue
        gap = next(position for position, (start, end) in enumerate(free) if end - start >= nbytes)
        start, end = free[gap]
        free[gap : gap + 1] = [(start + nbytes, end)] if end - start > nbytes else []
        heappush(ends, (last, start, nbytes))
        offsets[index] = start
    return offsets


def _give_back(free: list[tuple[int, int]], start: int, end: int) -> None:
    """Return memory to the gaps, which stay sorted and merged."""
    position = bisect_left(free, (start, end))
    if position < len(free) and free[position][0] == end:
        end = free.pop(position)[1]
    if position and free[position - 1][1] == start:
        position -= 1
        start = free.pop(position)[0]
    free.insert(position, (start, end))
