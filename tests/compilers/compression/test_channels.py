"""Channels that are one go together, and every layer keeps one at least: whatever the framework."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgerig.compilers.compression.channels import Channels


@st.composite
def channels(draw: st.DrawFn) -> Channels:
    """Layers of some widths, of which some are summed, and some stay."""
    result = Channels()
    for number, width in enumerate(draw(st.lists(st.integers(1, 7), min_size=1, max_size=6))):
        norms = draw(st.lists(st.integers(0, 3), min_size=width, max_size=width))
        result.source(f"layer{number}", result.fresh(width), np.array(norms, np.float64))
        result.cut(f"layer{number}", 0, result.sources[-1].labels)
    for left, right in draw(st.lists(st.tuples(*2 * [st.sampled_from(result.sources)]), max_size=4)):
        shorter = min(len(left.labels), len(right.labels))
        result.unite(left.labels[:shorter], right.labels[-shorter:])
    for source in draw(st.lists(st.sampled_from(result.sources), max_size=2)):
        result.keep(source.labels[:1], f"{source.layer} stays")
    return result


@given(channels(), st.floats(0, 0.99))
def test_no_layer_loses_all_and_none_that_stays_loses_any(network: Channels, share: float) -> None:
    removed = network.removed(share)
    obstacles, widths = network.obstacles(), network.widths(removed)
    assert {source.layer for source in network.sources} == obstacles.keys() | widths.keys()
    for source in network.sources:
        left = len(network.left(source.labels, removed))
        assert left >= 1
        if source.layer in obstacles:
            assert left == len(source.labels)
    assert removed <= set(network.classes(np.concatenate([source.labels for source in network.sources])).tolist())


@given(channels(), st.floats(0, 0.99))
def test_weights_are_cut_to_the_channels_that_are_left(network: Channels, share: float) -> None:
    removed = network.removed(share)
    weights = {source.layer: source.labels for source in network.sources}
    for name, labels in network.smaller(weights, removed).items():
        np.testing.assert_array_equal(labels, weights[name][network.left(weights[name], removed)])
        assert not set(network.classes(labels).tolist()) & removed


def test_channels_of_a_sum_are_judged_by_their_norms_together() -> None:
    network = Channels()
    left, right = network.fresh(3), network.fresh(3)
    network.source("left", left, np.array([1.0, 9.0, 5.0]))
    network.source("right", right, np.array([9.0, 2.0, 2.0]))
    network.unite(left, right)
    assert network.removed(0.34) == frozenset(network.classes(left[2:]).tolist())
    assert network.widths(network.removed(0.34)) == {"left": (3, 2), "right": (3, 2)}


def test_three_tenths_of_ten_are_three() -> None:
    network = Channels()
    network.source("layer", network.fresh(10), np.arange(10.0))
    assert len(network.removed(0.3)) == 3
