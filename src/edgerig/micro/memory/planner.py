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

from edgerig.models.graph.lifetimes import MOST_OVERLAPS, Lifetimes, count_overlaps, first_gaps

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
        backward: It is written from its end: that one must begin before it, so much at least.
    """

    name: str
    nbytes: int
    first: int
    last: int
    offset: int = 0
    alias: int | None = None
    over: int | None = None
    lead: int = 0
    backward: bool = False

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


def padded(nbytes: int) -> int:
    """Rounded up to the arena's alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def least_bytes(buffers: Sequence[Buffer]) -> list[int]:
    """Bytes needed at each layer, at least; what two buffers can share there counts once."""
    changes = [0] * (max((buffer.last for buffer in buffers), default=-1) + 2)

    def count(first: int, last: int, nbytes: int) -> None:
        changes[first] += nbytes
        changes[last + 1] -= nbytes

    for buffer in buffers:
        count(buffer.first, buffer.last, padded(buffer.nbytes))
        if buffer.over is not None:
            other = buffers[buffer.over]
            count(max(buffer.first, other.first), min(buffer.last, other.last), -_shared(buffer, other))
        together = -1 if buffer.alias is None else min(buffer.last, buffers[buffer.alias].last)
        if buffer.alias is not None and together >= buffer.first:
            count(buffer.first, together, -min(padded(buffer.nbytes), padded(buffers[buffer.alias].nbytes)))
    return list(accumulate(changes[:-1]))


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The largest number of bytes needed at one layer."""
    return max(least_bytes(buffers), default=0)


def _lead(buffer: Buffer, other: Buffer) -> int:
    """Bytes by which the first to begin of ``buffer``, which may lie over ``other``, and that one begins before the
    second, at least; whole units of memory."""
    first, second = (other, buffer) if buffer.backward else (buffer, other)
    return max(min(padded(buffer.lead), padded(first.nbytes)), -padded(second.nbytes))


def _shared(buffer: Buffer, other: Buffer) -> int:
    """The most bytes that ``buffer`` can have in common with ``other``, over which it may lie."""
    first, second = padded(buffer.nbytes), padded(other.nbytes)
    if buffer.backward:
        first, second = second, first
    return first + second - max(first, second, second + _lead(buffer, other))


def place(buffers: Sequence[Buffer], thorough: bool = True, below: int | None = None) -> Plan | None:
    """The best plan found, with a search for a better order if ``thorough`` and none of ``below`` bytes is ruled out.

    With ``below`` it may be None where none of less bytes was found.

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
        in_gaps = in_turn(buffers)
        height = max((buffer.end for buffer in in_gaps), default=0)
        return Plan(tuple(in_gaps), height, bound, "one after the other")
    arena = _Arena(buffers)
    searched = thorough and len(buffers) ** 2 <= SEARCH and (below is None or bound < below)
    name, best = "both ends in turn", arena.both_ends(bound)
    for other, key in orders.items():
        if best is not None and arena.height(best) <= bound:
            break
        # What is no better need not be placed to the end; but the search begins with whatever is best.
        most = below if best is None and not searched else None if best is None else arena.height(best)
        placed = arena.greedy(sorted(indices, key=key), most)
        if placed is not None:
            name, best = other, placed
    if best is None:
        return None
    if searched and arena.height(best) > bound:
        order = sorted(indices, key=orders.get(name, orders["largest first"]))
        better = _search(arena, order, bound)
        if arena.height(better) < arena.height(best):
            name, best = f"{name}, improved", better
    whole = tuple(replace(buffer, offset=offset) for buffer, offset in zip(buffers, best, strict=True))
    return Plan(whole, arena.height(best), bound, name)


def in_turn(buffers: Sequence[Buffer]) -> list[Buffer]:
    """Each buffer, in the order in which they are needed, in the first gap that is free then; aliases apart."""
    given = [(buffer.first, buffer.last, padded(buffer.nbytes)) for buffer in buffers]
    return [replace(buffer, offset=offset) for buffer, offset in zip(buffers, first_gaps(given), strict=True)]


#: The offset of a buffer that has none yet.
_NOWHERE = -1


class _Arena:
    """Buffers as numbers, for they are placed anew thousands of times; offsets are lists, an entry for each buffer."""

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self._buffers = buffers
        self._sizes = [padded(buffer.nbytes) for buffer in buffers]
        alive = Lifetimes([(buffer.first, buffer.last) for buffer in buffers])
        for index in range(len(buffers)):
            alive.put(index)
        #: Of each buffer those that are needed at some layer with it, itself too: it is not placed while this is asked.
        self._meets = [alive.overlapping(index) for index in range(len(buffers))]
        #: Of each buffer those of them that it may lie over, or that may lie over it: it ends before the first of these
        #: offsets from that one's, or begins at the second.
        self._related: list[dict[int, tuple[int, int]]] = [{} for _ in buffers]
        for index, buffer in enumerate(buffers):
            if buffer.over is not None and buffer.overlaps(buffers[buffer.over]):
                self._related[index][buffer.over] = self._span(index, buffer.over)
                self._related[buffer.over][index] = self._span(buffer.over, index)
        for meets, related in zip(self._meets, self._related, strict=True):
            # Others are placed without a look at what they may share.
            meets[:] = [other for other in meets if other not in related]

    def height(self, offsets: Sequence[int]) -> int:
        """Bytes up to the highest end."""
        return max(map(int.__add__, offsets, self._sizes), default=0)

    def highest(self, offsets: Sequence[int]) -> set[int]:
        """The buffers that end there."""
        height = self.height(offsets)
        return {index for index, size in enumerate(self._sizes) if offsets[index] + size == height}

    def both_ends(self, size: int) -> list[int] | None:
        """Buffers at bottom and top of an arena of ``size`` in turn, short-lived ones between; None if it fails."""
        buffers, offsets = self._buffers, [_NOWHERE] * len(self._buffers)
        top = False
        for index in sorted(range(len(buffers)), key=lambda i: (buffers[i].first == buffers[i].last, buffers[i].first)):
            buffer = buffers[index]
            bottom, high = (0, False), (size - self._sizes[index], True)
            choices = [high, bottom] if not top else [bottom, high]
            if buffer.first == buffer.last:
                choices = [(self._lowest(index, offsets), top)]
            elif buffer.alias is not None and offsets[buffer.alias] != _NOWHERE:
                choices.insert(0, (offsets[buffer.alias], not top))
            elif buffer.over is not None and offsets[buffer.over] != _NOWHERE:
                lead = _lead(buffer, buffers[buffer.over])
                choices.append((offsets[buffer.over] + (lead if buffer.backward else -lead), top))
            for offset, side in choices:
                if 0 <= offset <= size - self._sizes[index] and self._is_clear(index, offset, offsets):
                    offsets[index] = offset
                    top = side
                    break
            else:
                return None
        return offsets

    def greedy(
        self, order: Sequence[int], below: int | None = None, known: Sequence[int] = (), count: int = 0
    ) -> list[int] | None:
        """Each buffer at the lowest offset that is free during its life, or that of its alias, in the given order.

        Args:
            order: Of all buffers.
            below: Bytes; None is the answer as soon as some buffer ends no lower.
            known: Offsets of those that come first in the order.
            count: How many those are.
        """
        offsets, sizes = [_NOWHERE] * len(self._buffers), self._sizes
        for index in order[:count]:
            offsets[index] = known[index]
        for index in order[count:]:
            offsets[index] = lowest = self._lowest(index, offsets)
            if below is not None and lowest + sizes[index] >= below:
                return None
        return offsets

    def _lowest(self, index: int, offsets: Sequence[int]) -> int:
        alias = self._buffers[index].alias
        if alias is not None and offsets[alias] != _NOWHERE and self._is_clear(index, offsets[alias], offsets):
            return offsets[alias]
        sizes = self._sizes
        taken = [(at, at + sizes[other]) for other in self._meets[index] if (at := offsets[other]) != _NOWHERE]
        for other, (below, above) in self._related[index].items():
            if (at := offsets[other]) != _NOWHERE:
                taken.append((at + below, at + above))
        taken.sort()
        lowest, size = 0, sizes[index]
        for start, end in taken:
            if lowest + size <= start:
                break
            if end > lowest:
                lowest = end
        return lowest

    def _span(self, index: int, other: int) -> tuple[int, int]:
        """Buffer ``index`` ends before the first of these offsets from ``other`` or begins at the second."""
        buffer, there, size, length = self._buffers[index], self._buffers[other], self._sizes[index], self._sizes[other]
        over, under = (buffer, there) if buffer.over == other else (there, buffer)
        lead = _lead(over, under)
        if (over is buffer) == over.backward:
            # This one begins behind the other.
            return min(0, lead + size), lead
        return min(size - lead, length + size), length

    def _is_clear(self, index: int, offset: int, offsets: Sequence[int]) -> bool:
        """No buffer that is needed at the same time is in the way, but an alias at the same address."""
        end, alias = offset + self._sizes[index], self._buffers[index].alias
        for other in self._meets[index]:
            start = offsets[other]
            if start == _NOWHERE or end <= start or offset >= start + self._sizes[other]:
                continue
            if not (other == alias and start == offset):
                return False
        for other, (below, above) in self._related[index].items():
            start = offsets[other]
            if start != _NOWHERE and end > start + below and offset < start + above:
                return False
        return True


def _search(arena: _Arena, order: list[int], bound: int) -> list[int]:
    """Move the buffers with the highest ends forward in the order as long as that lowers the height."""
    best = arena.greedy(order)
    assert best is not None
    height = arena.height(best)
    chance = random.Random(0)
    in_vain, pairs = 0, max(len(order), 1) ** 2
    for _ in range(SEARCH // pairs):
        if height <= bound or len(order) < 2 or in_vain * pairs > IN_VAIN:
            break
        ends = arena.highest(best)
        highest = [position for position, index in enumerate(order) if index in ends]
        moved = chance.choice([*highest, chance.randrange(len(order))])
        tried = list(order)
        target = chance.randrange(moved + 1)
        tried.insert(target, tried.pop(moved))
        # What comes before is where it was.
        placed = arena.greedy(tried, height + 1, best, target)
        in_vain += 1
        if placed is not None:
            reached = arena.height(placed)
            in_vain = 0 if reached < height else in_vain
            order, best, height = tried, placed, reached
    return best
