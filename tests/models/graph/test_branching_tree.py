"""Branches by categories as ranges decide as the sets do, for every kind of value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.models.graph.branching_tree import BranchingTree, categories_as_chains, categories_as_ranges

VALUES = (-math.inf, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 2.0**24, math.inf, math.nan)


def full_tree(features: list[int], defaults: list[int]) -> BranchingTree:
    """Three levels of branches above eight leaves, each with a value of its own."""
    left = np.array([*range(1, 15, 2), *[-1] * 8])
    right = np.array([*range(2, 16, 2), *[-1] * 8])
    condition = np.array([1.5] * 7 + list(range(8)), np.float32)
    return BranchingTree(left, right, np.array(features + [0] * 8), condition, np.array(defaults + [0] * 8))


def leaf(tree: BranchingTree, sets: dict[int, np.ndarray], sample: tuple[float, float]) -> float:
    """The value that ``sample`` comes to, as XGBoost defines it."""
    node = 0
    while tree.left[node] != -1:
        value = sample[tree.feature[node]]
        if math.isnan(value):
            to_left = bool(tree.default_left[node])
        elif node in sets:
            to_left = not 0 <= value < 2**24 or int(value) not in sets[node]
        else:
            to_left = value < tree.condition[node] or node in tree.always_left
        node = int((tree.left if to_left else tree.right)[node])
    return float(tree.condition[node])


@given(
    st.lists(st.integers(0, 1), min_size=7, max_size=7),
    st.lists(st.integers(0, 1), min_size=7, max_size=7),
    st.dictionaries(st.integers(0, 6), st.sets(st.integers(0, 5), min_size=1)),
)
def test_ranges_and_chains_decide_as_sets(features: list[int], defaults: list[int], sets: dict[int, set[int]]) -> None:
    tree = full_tree(features, defaults)
    own = {node: np.array(sorted(values)) for node, values in sets.items()}
    ranges, chains = categories_as_ranges(tree, own, 10_000), categories_as_chains(tree, own)
    for first in VALUES:
        for second in VALUES:
            expected = leaf(tree, own, (first, second))
            assert leaf(ranges, {}, (first, second)) == leaf(chains, {}, (first, second)) == expected


@given(st.dictionaries(st.integers(0, 6), st.sets(st.integers(0, 5), min_size=1)))
def test_chains_share_left_children_alone_and_repeat_nothing(sets: dict[int, set[int]]) -> None:
    """ONNX Runtime takes a second parent of a left child, and none of a right one."""
    own = {node: np.array(sorted(values)) for node, values in sets.items()}
    chains = categories_as_chains(full_tree([0, 1] * 3 + [0], [0] * 7), own)
    ends = sum(2 * (1 + int((np.diff(values) > 1).sum())) for values in own.values())
    assert len(chains.left) == 15 + ends + len(own)
    right = chains.right[chains.right != -1]
    assert len(set(right.tolist())) == len(right)
    assert not set(right.tolist()) & set(chains.left[chains.left != -1].tolist())


def test_what_a_range_decides_is_not_asked_again() -> None:
    """The same set at each of three levels needs no more branches than once, for its leaves that can be reached."""
    sets = {node: np.array([1, 3]) for node in range(7)}
    ranges = categories_as_ranges(full_tree([0] * 7, [1] * 7), sets, 10_000)
    assert len(ranges.left) == 9  # four bounds, five ranges


def test_more_nodes_than_allowed_are_refused() -> None:
    sets = {node: np.arange(0, 40, 2) for node in range(7)}
    with pytest.raises(OverflowError):
        categories_as_ranges(full_tree([0, 1, 1, 0, 0, 0, 0], [0] * 7), sets, 100)


@pytest.mark.parametrize("sets", [{}, {0: np.array([1]), 1: np.array([1])}, {0: np.array([1]), 1: np.array([2])}])
def test_a_cycle_ends(sets: dict[int, np.ndarray]) -> None:
    """Two branches that lead to each other, in a damaged file."""
    both = np.array([1, 1])
    tree = BranchingTree(both[::-1], both[::-1], np.zeros(2, int), np.zeros(2, np.float32), np.zeros(2, int))
    with pytest.raises(OverflowError):
        categories_as_ranges(BranchingTree(both, 1 - np.array([0, 1]), *tree[2:]), sets, 1000)
