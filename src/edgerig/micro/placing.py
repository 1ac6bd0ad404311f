"""Static memory planning: pieces of memory with lifetimes, each given an offset in one arena.

No plan needs less than the largest sum of what is needed at one time (the lower bound). Chains, where each layer's
input and output are all that is alive with its scratch, always reach it: inputs and outputs are put at the two ends
of the arena in turn. Otherwise the best of several greedy orders is taken, and then improved by moving pieces
forward in the order; both repeatable.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

ALIGNMENT = 8
#: Effort of the search for a better order, in pairs of pieces compared.
SEARCH = 3_000_000


@dataclass(frozen=True)
class Piece:
    """Memory that is needed from layer ``first`` to layer ``last``.

    ``twin``: index of a piece whose life ends where this one's begins, and at whose address it may lie.
    """

    name: str
    nbytes: int
    first: int
    last: int
    offset: int = 0
    twin: int | None = None

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + padded(self.nbytes)

    def meets(self, other: Piece) -> bool:
        """Both are needed at some layer."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """Pieces in the order in which they were given; bytes of the arena; what no plan can undercut; and the order."""

    pieces: tuple[Piece, ...]
    nbytes: int
    lower_bound: int
    method: str


def padded(nbytes: int) -> int:
    """Rounded up to the arena's alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def lower_bound(pieces: Sequence[Piece]) -> int:
    """The largest number of bytes needed at one layer; of twins that meet there, the larger counts."""
    return max((_needed(pieces, time) for time in {piece.first for piece in pieces}), default=0)


def _needed(pieces: Sequence[Piece], time: int) -> int:
    total = 0
    for piece in pieces:
        if piece.first <= time <= piece.last:
            total += padded(piece.nbytes)
            if piece.twin is not None and pieces[piece.twin].last >= time:
                total -= min(padded(piece.nbytes), padded(pieces[piece.twin].nbytes))
    return total


def place(pieces: Sequence[Piece]) -> Plan:
    """The best plan found."""
    bound = lower_bound(pieces)
    indices = range(len(pieces))
    orders: dict[str, Callable[[int], tuple[int, ...]]] = {
        "largest first": lambda i: (-pieces[i].nbytes, pieces[i].first),
        "largest by longest first": lambda i: (-pieces[i].nbytes * (pieces[i].last - pieces[i].first + 1),),
        "longest first": lambda i: (pieces[i].first - pieces[i].last, -pieces[i].nbytes),
        "earliest first": lambda i: (pieces[i].first, -pieces[i].nbytes),
    }
    found = [(name, _greedy(pieces, sorted(indices, key=key))) for name, key in orders.items()]
    ends = _ends(pieces, bound)
    if ends is not None:
        found.insert(0, ("both ends in turn", ends))
    name, best = min(found, key=lambda one: _height(one[1]))
    if _height(best) > bound:
        order = sorted(indices, key=orders.get(name, orders["largest first"]))
        better = _search(pieces, order, bound)
        if _height(better) < _height(best):
            name, best = f"{name}, improved", better
    return Plan(tuple(best), _height(best), bound, name)


def _ends(pieces: Sequence[Piece], size: int) -> list[Piece] | None:
    """Pieces at the bottom and the top of an arena of ``size`` in turn, short-lived ones between; None if it fails."""
    order = sorted(range(len(pieces)), key=lambda i: (pieces[i].first == pieces[i].last, pieces[i].first))
    placed: dict[int, Piece] = {}
    top = False
    for index in order:
        piece = pieces[index]
        bottom, high = replace(piece, offset=0), replace(piece, offset=size - padded(piece.nbytes))
        choices = [(high, True), (bottom, False)] if not top else [(bottom, False), (high, True)]
        if piece.first == piece.last:
            choices = [(_lowest(piece, placed), top)]
        elif piece.twin is not None and piece.twin in placed:
            choices.insert(0, (replace(piece, offset=placed[piece.twin].offset), not top))
        for there, side in choices:
            if there.offset >= 0 and there.end <= size and _is_clear(there, placed):
                placed[index], top = there, side
                break
        else:
            return None
    return [placed[index] for index in range(len(pieces))]


def _greedy(pieces: Sequence[Piece], order: Sequence[int]) -> list[Piece]:
    """Each piece at the lowest offset that is free during its life, or that of its twin, in the given order."""
    placed: dict[int, Piece] = {}
    for index in order:
        placed[index] = _lowest(pieces[index], placed)
    return [placed[index] for index in range(len(pieces))]


def _lowest(piece: Piece, placed: Mapping[int, Piece]) -> Piece:
    if piece.twin is not None and piece.twin in placed:
        there = replace(piece, offset=placed[piece.twin].offset)
        if _is_clear(there, placed):
            return there
    offset = 0
    size = padded(piece.nbytes)
    alive = [other for other in placed.values() if other.meets(piece)]
    for other in sorted(alive, key=lambda other: other.offset):
        if offset + size <= other.offset:
            break
        offset = max(offset, other.end)
    return replace(piece, offset=offset)


def _is_clear(piece: Piece, placed: Mapping[int, Piece]) -> bool:
    """Nothing that is needed with it lies where it lies, but a twin at the same address."""
    return all(
        piece.end <= other.offset
        or other.end <= piece.offset
        or not other.meets(piece)
        or (index == piece.twin and other.offset == piece.offset)
        for index, other in placed.items()
    )


def _search(pieces: Sequence[Piece], order: list[int], bound: int) -> list[Piece]:
    """Move pieces that stand highest forward in the order as long as that helps."""
    best = _greedy(pieces, order)
    chance = random.Random(0)
    for _ in range(SEARCH // max(len(pieces), 1) ** 2):
        height = _height(best)
        if height <= bound or len(pieces) < 2:
            break
        highest = [place for place, index in enumerate(order) if best[index].end == height]
        moved = chance.choice([*highest, chance.randrange(len(order))])
        tried = list(order)
        tried.insert(chance.randrange(moved + 1), tried.pop(moved))
        placed = _greedy(pieces, tried)
        if _height(placed) <= height:
            order, best = tried, placed
    return best


def _height(pieces: Sequence[Piece]) -> int:
    return max((piece.end for piece in pieces), default=0)
