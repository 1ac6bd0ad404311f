"""Static memory planning: buffers with lifetimes, each given an offset in one arena.

No plan needs less than the largest sum of what is needed at one time (the lower bound). Chains, where each layer's
input and output are all that is alive with its scratch, always reach it: inputs and outputs are put at the two ends
of the arena in turn. Otherwise the best of several greedy orders is taken, and then improved by moving buffers
forward in the order; both repeatable.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from edgerig.models.graph.lifetimes import MOST_OVERLAPS, Lifetimes, count_overlaps, first_gaps, most_alive

ALIGNMENT = 8
#: Effort of the search for a better order, in pairs of buffers compared.
SEARCH = 3_000_000
#: Effort without a lower arena after which the search ends.
IN_VAIN = 300_000


@dataclass(frozen=True)
class Buffer:
    """Memory that is needed from layer ``first`` to layer ``last``.

    Attributes:
        alias: Index of a buffer whose lifetime ends where this one's begins, and at whose address it may lie.
        over: Index of a buffer that this one may lie over although both are needed: it is written where that one has
            been read already.
        lead: Bytes by which it must then begin before that one, at least; negative where it may begin within it.
    """

    name: str
    nbytes: int
    first: int
    last: int
    offset: int = 0
    alias: int | None = None
    over: int | None = None
    lead: int = 0

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + padded(self.nbytes)

    def overlaps(self, other: Buffer) -> bool:
        """Both are needed at some layer."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """Buffers in the order in which they were given; bytes of the arena; what no plan can undercut; and the order."""

    buffers: tuple[Buffer, ...]
    nbytes: int
    lower_bound: int
    method: str

    def levels(self, layers: int) -> list[int]:
        """Bytes that buffers take at each of ``layers`` layers; where two lie over one another, they count once."""
        changes = [0] * (layers + 1)

        def count(first: int, last: int, nbytes: int) -> None:
            if first <= min(last, layers - 1):
                changes[first] += nbytes
                changes[min(last, layers - 1) + 1] -= nbytes

        for buffer in self.buffers:
            count(buffer.first, buffer.last, padded(buffer.nbytes))
            for other in (self.buffers[index] for index in (buffer.alias, buffer.over) if index is not None):
                both = min(buffer.end, other.end) - max(buffer.offset, other.offset)
                count(max(buffer.first, other.first), min(buffer.last, other.last), -max(both, 0))
        return list(accumulate(changes[:layers]))


def padded(nbytes: int) -> int:
    """Rounded up to the arena's alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The largest number of bytes needed at one layer; what two buffers can share there counts once."""
    changes: dict[int, int] = {}

    def count(first: int, last: int, nbytes: int) -> None:
        changes[first] = changes.get(first, 0) + nbytes
        changes[last + 1] = changes.get(last + 1, 0) - nbytes

    for buffer in buffers:
        count(buffer.first, buffer.last, padded(buffer.nbytes))
        if buffer.over is not None:
            other = buffers[buffer.over]
            count(max(buffer.first, other.first), min(buffer.last, other.last), -_shared(buffer, other))
        together = -1 if buffer.alias is None else min(buffer.last, buffers[buffer.alias].last)
        if buffer.alias is not None and together >= buffer.first:
            count(buffer.first, together, -min(padded(buffer.nbytes), padded(buffers[buffer.alias].nbytes)))
    return most_alive(changes, (buffer.first for buffer in buffers))[0]


def _lead(buffer: Buffer, other: Buffer) -> int:
    """Bytes by which ``buffer``, which may lie over ``other``, begins before it, at least; whole units of memory."""
    return max(min(padded(buffer.lead), padded(buffer.nbytes)), -padded(other.nbytes))


def _shared(buffer: Buffer, other: Buffer) -> int:
    """The most bytes that ``buffer`` can have in common with ``other``, over which it may lie."""
    size, below = padded(buffer.nbytes), padded(other.nbytes)
    return size + below - max(size, below, below + _lead(buffer, other))


def place(buffers: Sequence[Buffer], thorough: bool = True) -> Plan:
    """The best plan found, with a search for a better order if ``thorough``.

    Where more than `MOST_OVERLAPS` pairs are needed together, the first that holds.
    """
    bound = lower_bound(buffers)
    indices = range(len(buffers))
    orders: dict[str, Callable[[int], tuple[int, ...]]] = {
        "largest first": lambda i: (-buffers[i].nbytes, buffers[i].first),
        "largest by longest first": lambda i: (-buffers[i].nbytes * (buffers[i].last - buffers[i].first + 1),),
        "longest first": lambda i: (buffers[i].first - buffers[i].last, -buffers[i].nbytes),
        "earliest first": lambda i: (buffers[i].first, -buffers[i].nbytes),
        # So each finds room above the output that may lie a little before it.
        "latest first": lambda i: (-buffers[i].last, -buffers[i].nbytes),
    }
    if count_overlaps((buffer.first, buffer.last) for buffer in buffers) > MOST_OVERLAPS:
        placed = in_turn(buffers)
        return Plan(tuple(placed), _height(placed), bound, "one after the other")
    ends = _ends(buffers, bound)
    plans = [("both ends in turn", ends)] if ends is not None else []
    for name, key in orders.items():
        if plans and _height(plans[-1][1]) <= bound:
            break
        plans.append((name, _greedy(buffers, sorted(indices, key=key))))
    name, best = min(plans, key=lambda candidate: _height(candidate[1]))
    if thorough and _height(best) > bound:
        order = sorted(indices, key=orders.get(name, orders["largest first"]))
        better = _search(buffers, order, bound)
        if _height(better) < _height(best):
            name, best = f"{name}, improved", better
    return Plan(tuple(best), _height(best), bound, name)


def in_turn(buffers: Sequence[Buffer]) -> list[Buffer]:
    """Each buffer, in the order in which they are needed, in the first gap that is free then; aliases apart."""
    given = [(buffer.first, buffer.last, padded(buffer.nbytes)) for buffer in buffers]
    return [replace(buffer, offset=offset) for buffer, offset in zip(buffers, first_gaps(given), strict=True)]


class _Placed:
    """The buffers that have an offset, and which of them a buffer meets."""

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self._alive = Lifetimes([(buffer.first, buffer.last) for buffer in buffers])
        self.at: dict[int, Buffer] = {}
        self.ends: dict[int, int] = {}

    def put(self, index: int, buffer: Buffer) -> None:
        self.at[index] = buffer
        self.ends[index] = buffer.end
        self._alive.put(index)

    def overlapping(self, index: int) -> list[tuple[int, Buffer]]:
        """Those that are needed at some layer with the buffer ``index``."""
        return [(other, self.at[other]) for other in self._alive.overlapping(index)]


def _ends(buffers: Sequence[Buffer], size: int) -> list[Buffer] | None:
    """Buffers at the bottom and the top of an arena of ``size`` in turn, short-lived ones between; None if it fails."""
    order = sorted(range(len(buffers)), key=lambda i: (buffers[i].first == buffers[i].last, buffers[i].first))
    placed = _Placed(buffers)
    top = False
    for index in order:
        buffer = buffers[index]
        others = placed.overlapping(index)
        bottom, high = replace(buffer, offset=0), replace(buffer, offset=size - padded(buffer.nbytes))
        choices = [(high, True), (bottom, False)] if not top else [(bottom, False), (high, True)]
        if buffer.first == buffer.last:
            choices = [(_lowest(index, buffer, placed, others), top)]
        elif buffer.alias is not None and buffer.alias in placed.at:
            choices.insert(0, (replace(buffer, offset=placed.at[buffer.alias].offset), not top))
        elif buffer.over is not None and buffer.over in placed.at:
            other = placed.at[buffer.over]
            choices.append((replace(buffer, offset=other.offset - _lead(buffer, other)), top))
        for there, side in choices:
            if there.offset >= 0 and there.end <= size and _is_clear(index, there, others):
                placed.put(index, there)
                top = side
                break
        else:
            return None
    return [placed.at[index] for index in range(len(buffers))]


def _greedy(buffers: Sequence[Buffer], order: Sequence[int]) -> list[Buffer]:
    """Each buffer at the lowest offset that is free during its life, or that of its alias, in the given order."""
    placed = _Placed(buffers)
    for index in order:
        placed.put(index, _lowest(index, buffers[index], placed, placed.overlapping(index)))
    return [placed.at[index] for index in range(len(buffers))]


def _lowest(index: int, buffer: Buffer, placed: _Placed, others: Sequence[tuple[int, Buffer]]) -> Buffer:
    if buffer.alias is not None and buffer.alias in placed.at:
        there = replace(buffer, offset=placed.at[buffer.alias].offset)
        if _is_clear(index, there, others):
            return there
    offset = 0
    size = padded(buffer.nbytes)
    for start, end in sorted(
        _span(index, buffer, number, other)
        if number == buffer.over or other.over == index
        else (other.offset, placed.ends[number])
        for number, other in others
    ):
        if offset + size <= start:
            break
        offset = max(offset, end)
    return replace(buffer, offset=offset)


def _span(index: int, buffer: Buffer, number: int, other: Buffer) -> tuple[int, int]:
    """``buffer`` ends before the first of these offsets or begins at the second, because of ``other``."""
    start, end = other.offset, other.end
    if buffer.over == number:
        start += padded(buffer.nbytes) - _lead(buffer, other)
    elif other.over == index:
        end = start + _lead(other, buffer)
    return min(start, end + padded(buffer.nbytes)), end


def _is_clear(index: int, buffer: Buffer, others: Sequence[tuple[int, Buffer]]) -> bool:
    """No buffer that is needed at the same time is in the way, but an alias at the same address."""
    end = buffer.end
    for number, other in others:
        if end <= other.offset or buffer.offset >= other.end:
            continue
        below, above = _span(index, buffer, number, other)
        aliased = number == buffer.alias and other.offset == buffer.offset
        if end > below and buffer.offset < above and not aliased:
            return False
    return True


def _search(buffers: Sequence[Buffer], order: list[int], bound: int) -> list[Buffer]:
    """Move the buffers with the highest ends forward in the order as long as that lowers the height."""
    best = _greedy(buffers, order)
    chance = random.Random(0)
    in_vain, pairs = 0, max(len(buffers), 1) ** 2
    for _ in range(SEARCH // pairs):
        height = _height(best)
        if height <= bound or len(buffers) < 2 or in_vain * pairs > IN_VAIN:
            break
        highest = [position for position, index in enumerate(order) if best[index].end == height]
        moved = chance.choice([*highest, chance.randrange(len(order))])
        tried = list(order)
        tried.insert(chance.randrange(moved + 1), tried.pop(moved))
        placed = _greedy(buffers, tried)
        in_vain = 0 if _height(placed) < height else in_vain + 1
        if _height(placed) <= height:
            order, best = tried, placed
    return best


def _height(buffers: Sequence[Buffer]) -> int:
    return max((buffer.end for buffer in buffers), default=0)
