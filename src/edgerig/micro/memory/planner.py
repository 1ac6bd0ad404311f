"""Static memory planning: pieces of memory with lifetimes, each given an offset in one arena.

No plan needs less than the largest sum of what is needed at one time (the lower bound). Chains, where each layer's
input and output are all that is alive with its scratch, always reach it: inputs and outputs are put at the two ends
of the arena in turn. Otherwise the best of several greedy orders is taken, and then improved by moving pieces
forward in the order; both repeatable.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgerig.models.graph.lifetimes import MEETINGS, Lifetimes, first_gaps, meetings, most_alive

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
    changes: dict[int, int] = {}

    def count(first: int, last: int, nbytes: int) -> None:
        changes[first] = changes.get(first, 0) + nbytes
        changes[last + 1] = changes.get(last + 1, 0) - nbytes

    for piece in pieces:
        count(piece.first, piece.last, padded(piece.nbytes))
        together = -1 if piece.twin is None else min(piece.last, pieces[piece.twin].last)
        if piece.twin is not None and together >= piece.first:
            count(piece.first, together, -min(padded(piece.nbytes), padded(pieces[piece.twin].nbytes)))
    return most_alive(changes, (piece.first for piece in pieces))[0]


def place(pieces: Sequence[Piece]) -> Plan:
    """The best plan found. Where more than `MEETINGS` pairs are needed together, the first that holds."""
    bound = lower_bound(pieces)
    indices = range(len(pieces))
    orders: dict[str, Callable[[int], tuple[int, ...]]] = {
        "largest first": lambda i: (-pieces[i].nbytes, pieces[i].first),
        "largest by longest first": lambda i: (-pieces[i].nbytes * (pieces[i].last - pieces[i].first + 1),),
        "longest first": lambda i: (pieces[i].first - pieces[i].last, -pieces[i].nbytes),
        "earliest first": lambda i: (pieces[i].first, -pieces[i].nbytes),
    }
    if meetings((piece.first, piece.last) for piece in pieces) > MEETINGS:
        placed = in_turn(pieces)
        return Plan(tuple(placed), _height(placed), bound, "one after the other")
    ends = _ends(pieces, bound)
    found = [("both ends in turn", ends)] if ends is not None else []
    for name, key in orders.items():
        if found and _height(found[-1][1]) <= bound:
            break
        found.append((name, _greedy(pieces, sorted(indices, key=key))))
    name, best = min(found, key=lambda one: _height(one[1]))
    if _height(best) > bound:
        order = sorted(indices, key=orders.get(name, orders["largest first"]))
        better = _search(pieces, order, bound)
        if _height(better) < _height(best):
            name, best = f"{name}, improved", better
    return Plan(tuple(best), _height(best), bound, name)


def in_turn(pieces: Sequence[Piece]) -> list[Piece]:
    """Each piece, in the order in which they are needed, in the first gap that is free then; twins apart."""
    given = [(piece.first, piece.last, padded(piece.nbytes)) for piece in pieces]
    return [replace(piece, offset=offset) for piece, offset in zip(pieces, first_gaps(given), strict=True)]


class _Placed:
    """The pieces that have an offset, and which of them a piece meets."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._alive = Lifetimes([(piece.first, piece.last) for piece in pieces])
        self.at: dict[int, Piece] = {}

    def put(self, index: int, piece: Piece) -> None:
        self.at[index] = piece
        self._alive.put(index)

    def meeting(self, index: int) -> list[tuple[int, Piece]]:
        """Those that are needed at some layer with the piece ``index``."""
        return [(other, self.at[other]) for other in self._alive.meeting(index)]


def _ends(pieces: Sequence[Piece], size: int) -> list[Piece] | None:
    """Pieces at the bottom and the top of an arena of ``size`` in turn, short-lived ones between; None if it fails."""
    order = sorted(range(len(pieces)), key=lambda i: (pieces[i].first == pieces[i].last, pieces[i].first))
    placed = _Placed(pieces)
    top = False
    for index in order:
        piece = pieces[index]
        others = placed.meeting(index)
        bottom, high = replace(piece, offset=0), replace(piece, offset=size - padded(piece.nbytes))
        choices = [(high, True), (bottom, False)] if not top else [(bottom, False), (high, True)]
        if piece.first == piece.last:
            choices = [(_lowest(piece, placed, others), top)]
        elif piece.twin is not None and piece.twin in placed.at:
            choices.insert(0, (replace(piece, offset=placed.at[piece.twin].offset), not top))
        for there, side in choices:
            if there.offset >= 0 and there.end <= size and _is_clear(there, others):
                placed.put(index, there)
                top = side
                break
        else:
            return None
    return [placed.at[index] for index in range(len(pieces))]


def _greedy(pieces: Sequence[Piece], order: Sequence[int]) -> list[Piece]:
    """Each piece at the lowest offset that is free during its life, or that of its twin, in the given order."""
    placed = _Placed(pieces)
    for index in order:
        placed.put(index, _lowest(pieces[index], placed, placed.meeting(index)))
    return [placed.at[index] for index in range(len(pieces))]


def _lowest(piece: Piece, placed: _Placed, others: Sequence[tuple[int, Piece]]) -> Piece:
    if piece.twin is not None and piece.twin in placed.at:
        there = replace(piece, offset=placed.at[piece.twin].offset)
        if _is_clear(there, others):
            return there
    offset = 0
    size = padded(piece.nbytes)
    for start, end in sorted((other.offset, other.end) for _, other in others):
        if offset + size <= start:
            break
        offset = max(offset, end)
    return replace(piece, offset=offset)


def _is_clear(piece: Piece, others: Sequence[tuple[int, Piece]]) -> bool:
    """Nothing that is needed with it lies where it lies, but a twin at the same address."""
    return all(
        piece.end <= other.offset or other.end <= piece.offset or (index == piece.twin and other.offset == piece.offset)
        for index, other in others
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
