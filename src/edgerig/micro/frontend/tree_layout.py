"""The order of the nodes of trees in flash, where branches may share what hangs below them.

A branch's true child is the node behind it, and its false child a jump ahead. So all parents of a node stand before it,
and behind a branch whose true child stands elsewhere comes a hop: a branch that always jumps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

#: The key of a hop: no feature's is as low.
NEVER = np.iinfo(np.int32).min
#: Where the nodes that are walked have got to.
_NEW, _OPEN, _DONE = 0, 1, 2


class TreeRows(NamedTuple):
    """Nodes of all trees as a file has them."""

    #: True and false child of each row, (n, 2); -1 at leaves.
    children: NDArray[np.int64]
    #: The row in which each tree begins.
    roots: list[int]
    #: Branches that go to their true child whatever the feature is: they are left out.
    always: NDArray[np.bool_]


class Layout(NamedTuple):
    """Nodes in flash.

    Attributes:
        order: The row of each node but hops.
        hops: Which nodes are hops.
        jumps: Of each node, hops included, the way to the false child or the hop's end; 0 at a leaf.
        roots: Where each tree begins.
    """

    order: list[int]
    hops: NDArray[np.bool_]
    jumps: NDArray[np.int64]
    roots: NDArray[np.int32]


def laid_out(rows: TreeRows, corrupt: Callable[[str], NoReturn]) -> Layout:
    """The layout of all trees; depth first, true children first, where nothing is shared.

    Args:
        corrupt: Called with what is wrong: a cycle, a node of no tree.
    """
    children, state = rows.children.tolist(), [_NEW] * len(rows.children)
    nodes: list[int] = []
    for root in rows.roots:
        if state[root] != _NEW:
            corrupt(f"node {root} begins a tree and is below a branch")
        nodes += _parents_first(root, children, state, corrupt)
    unreached = state.count(_NEW)
    if unreached:
        corrupt(f"{unreached} of {len(state)} nodes are not reached from their tree's first node")
    return _placed(*_without_always(rows, nodes), rows)


def _parents_first(
    root: int, children: list[list[int]], state: list[int], corrupt: Callable[[str], NoReturn]
) -> list[int]:
    """The nodes of a tree, each behind all of its parents."""
    finished = []
    waiting = [(root, False)]
    while waiting:
        node, left = waiting.pop()
        if left:
            state[node] = _DONE
            finished.append(node)
        elif state[node] == _OPEN:
            corrupt(f"node {node} is reached twice, by a cycle")
        elif state[node] == _NEW:
            state[node] = _OPEN
            waiting.append((node, True))
            # The false child first: it is to end behind the true one.
            waiting += [(child, False) for child in children[node] if child >= 0]
    return finished[::-1]


def _without_always(rows: TreeRows, nodes: list[int]) -> tuple[list[int], NDArray[np.int64], list[int]]:
    """The nodes that a tree can come to, in order; children and roots with branches that decide nothing skipped."""
    target = np.arange(len(rows.children))
    for node in reversed(nodes):
        if rows.always[node]:
            target[node] = target[rows.children[node, 0]]
    children = np.where(rows.children < 0, -1, target[rows.children])
    roots = [int(target[root]) for root in rows.roots]
    needed = set(roots)
    for node in nodes:
        if node in needed and children[node, 0] >= 0:
            needed.update(children[node].tolist())
    return [node for node in nodes if node in needed], children, roots


def _placed(nodes: list[int], children: NDArray[np.int64], roots: list[int], rows: TreeRows) -> Layout:
    branch = children[nodes, 0] >= 0
    following = np.append(nodes[1:], -1)
    hop = branch & (children[nodes, 0] != following)
    position = np.zeros(len(rows.children), np.int64)
    position[nodes] = np.arange(len(nodes)) + np.cumsum(hop) - hop
    count = len(nodes) + int(hop.sum())
    hops, jumps = np.zeros(count, np.bool_), np.zeros(count, np.int64)
    places = position[nodes]
    jumps[places[branch]] = position[children[nodes, 1][branch]] - places[branch]
    hops[places[hop] + 1] = True
    jumps[places[hop] + 1] = position[children[nodes, 0][hop]] - places[hop] - 1
    return Layout(nodes, hops, jumps, position[roots].astype(np.int32))


def with_hops(fields: dict[str, NDArray[Any]], layout: Layout) -> dict[str, Any]:
    """The columns of the nodes with those of hops between them; ``weights`` and ``ids`` are of leaves, and stay."""
    result: dict[str, Any] = {}
    for name, column in fields.items():
        if name in ("ids", "weights"):
            result[name] = column
            continue
        result[name] = np.full(len(layout.hops), NEVER if name == "keys" else 0).astype(column.dtype)
        result[name][~layout.hops] = column
    return result | {"jumps": layout.jumps.astype(np.int32)}
