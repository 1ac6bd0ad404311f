"""A tree of boosting as arrays of nodes, and branches by categories as branches by ranges of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Categories are integers that float32 holds exactly.
MOST_CATEGORY = 2**24 - 1


class BranchingTree(NamedTuple):
    """Nodes; the first is the root. A branch goes to the left where its feature is less than its condition."""

    #: -1 at a leaf.
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    #: The condition of a branch, the value of a leaf.
    condition: NDArray[np.float32]
    #: Whether a missing value goes to the left.
    default_left: NDArray[np.int64]
    #: Branches that always go to the left.
    always_left: frozenset[int] = frozenset()


class _Values(NamedTuple):
    """What a feature may be at a node: in ``first`` to before ``end``, or missing."""

    first: float = -np.inf
    end: float = np.inf
    missing: bool = True


class _Part(NamedTuple):
    """What hangs below ``node`` for features of ``known`` values."""

    node: int
    known: Mapping[int, _Values]


class _Branch(NamedTuple):
    condition: float
    default_left: int
    ways: tuple[_Part, _Part]


def categories_as_ranges(
    tree: BranchingTree, categories: Mapping[int, NDArray[np.int64]], most_nodes: int
) -> BranchingTree:
    """``tree`` without branches by categories: each becomes a search among the ranges of numbers that its set has.

    A feature's category is its integer part; those in ``categories[node]`` go to the right, all else to the left, as
    negative numbers do and those from 2**24 on. What hangs below a branch is repeated for each range, without the
    branches that the range decides already.

    Args:
        tree: The tree; conditions of branches by categories mean nothing.
        categories: The set of each such branch: not empty, in 0 .. ``MOST_CATEGORY``.
        most_nodes: As many nodes may come of it.

    Raises:
        OverflowError: More nodes come of it, or the tree is none, but has a cycle.
    """
    bounds = {node: _bounds(own) for node, own in categories.items()}
    children: tuple[list[int], list[int]] = [], []
    feature: list[int] = []
    condition: list[float] = []
    default: list[int] = []
    waiting: list[tuple[_Part, int, int]] = [(_Part(0, {}), 0, -1)]
    while waiting:
        part, side, parent = waiting.pop()
        part, branch = _next(tree, part, bounds)
        number = len(feature)
        if number >= most_nodes:
            raise OverflowError
        if parent >= 0:
            children[side][parent] = number
        for own in children:
            own.append(-1)
        feature.append(int(tree.feature[part.node]))
        condition.append(branch.condition if branch else float(tree.condition[part.node]))
        default.append(branch.default_left if branch else 0)
        if branch:
            waiting += [(branch.ways[1], 1, number), (branch.ways[0], 0, number)]
    return BranchingTree(
        np.array(children[0], np.int64), np.array(children[1], np.int64), np.array(feature, np.int64),
        np.array(condition, np.float32), np.array(default, np.int64),
    )  # fmt: skip


def categories_as_chains(tree: BranchingTree, categories: Mapping[int, NDArray[np.int64]]) -> BranchingTree:
    """As `categories_as_ranges`, with nothing repeated: each branch by categories becomes a chain of branches, one for
    each end of its ranges, in ascending order, whose left children are the branch's own two, shared by its links.

    Right children have no second parent, as ONNX Runtime wants it: the last link's is a branch that always goes to the
    left, to a node that is shared, and has a leaf of no meaning to the right.

    Raises:
        OverflowError: The tree is none: a node has two parents.
    """
    parents = np.bincount(np.concatenate([tree.left[tree.left != -1], tree.right[tree.left != -1]]))
    if parents.max(initial=0) > 1:
        raise OverflowError
    rows: list[tuple[int, int, int, float, int]] = []  # left, right, feature, condition, default_left
    links = {node: _bounds(own) for node, own in categories.items()}
    sizes = [len(links[node]) + 2 if node in links else 1 for node in range(len(tree.left))]
    number = dict(enumerate(np.cumsum([0, *sizes[:-1]]).tolist()))
    always = set()
    for node in range(len(tree.left)):
        left, right = (number.get(int(child), -1) for child in (tree.left[node], tree.right[node]))
        own, missing_left = int(tree.feature[node]), int(tree.default_left[node])
        if node not in links:
            rows.append((left, right, own, float(tree.condition[node]), missing_left))
            continue
        for position, bound in enumerate(links[node]):
            # Ranges are outside of the set, which is to the left, and in it by turns.
            missing_here = int(position == (0 if missing_left else 1))
            rows.append(((left, right)[position % 2], len(rows) + 1, own, float(bound), missing_here))
        always.add(len(rows))
        rows.append((left, len(rows) + 1, own, np.inf, 1))
        rows.append((-1, -1, own, 0.0, 0))
    columns = list(zip(*rows, strict=True))
    return BranchingTree(
        np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.int64),
        np.array(columns[3], np.float32), np.array(columns[4], np.int64), frozenset(always),
    )  # fmt: skip


def _bounds(categories: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where runs of categories begin and where they have ended, by turns, ascending."""
    own = np.unique(categories)
    gaps = np.flatnonzero(np.diff(own) > 1)
    starts, ends = own[np.r_[0, gaps + 1]], own[np.r_[gaps, len(own) - 1]] + 1
    return np.stack([starts, ends], axis=1).reshape(-1).astype(np.float64)


def _next(tree: BranchingTree, part: _Part, bounds: Mapping[int, NDArray[np.float64]]) -> tuple[_Part, _Branch | None]:
    """The first node from ``part`` on that is not decided yet, and how it branches; None for a leaf."""
    for _ in range(len(tree.left)):
        node, known = part
        children = int(tree.left[node]), int(tree.right[node])
        if children[0] == -1:
            return part, None
        if node not in bounds:
            ways = _Part(children[0], known), _Part(children[1], known)
            return part, _Branch(float(tree.condition[node]), int(tree.default_left[node]), ways)
        decided = _by_category(tree, part, bounds[node])
        if isinstance(decided, _Branch):
            return part, decided
        part = decided
    raise OverflowError


def _by_category(tree: BranchingTree, part: _Part, bounds: NDArray[np.float64]) -> _Part | _Branch:
    """A step of the search among ``bounds``, or where ``part`` leads if its values are all of one side."""
    node, known = part
    feature, children = int(tree.feature[node]), (int(tree.left[node]), int(tree.right[node]))
    values = known.get(feature, _Values())
    missing_side = 0 if tree.default_left[node] else 1
    if values.first >= values.end:
        return _Part(children[missing_side], known)
    # Ranges are outside of the set and in it by turns; a range with an even number is outside.
    first = int(np.searchsorted(bounds, values.first, "right"))
    last = int(np.searchsorted(bounds, values.end, "left"))

    def way(to: int, own: _Values) -> _Part:
        return _Part(to, {**known, feature: own})

    if first == last:
        side = first % 2
        if not values.missing or side == missing_side:
            return _Part(children[side], known)
        # No number is less than the condition: missing values alone go to the left.
        ways = way(children[missing_side], _Values(np.inf, np.inf)), way(children[side], values._replace(missing=False))
        return _Branch(-np.inf, 1, ways)
    middle = (first + last + 1) // 2
    bound = float(bounds[middle - 1])
    to_left = first + (first % 2 != missing_side) < middle
    lower = _Values(values.first, bound, values.missing and to_left)
    upper = _Values(bound, values.end, values.missing and not to_left)
    return _Branch(bound, int(to_left), (way(node, lower), way(node, upper)))
