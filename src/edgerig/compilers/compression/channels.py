"""Which channels of a network are one and the same, and what is cut where some of them are removed.

Every channel has a number. Where a network adds two tensors their channels become one: either stays in both or goes
from both (the groups of Fang et al., "DepGraph: Towards Any Structural Pruning", 2023). What a framework's layers do
with channels is told by its own walk through the graph; this module knows neither layers nor frameworks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Numbers of channels along an axis.
Labels = NDArray[np.int64]


class Cut(msgspec.Struct, frozen=True, eq=False):
    """An axis of a weight along which channels run.

    Attributes:
        weight: The weight's name. axis: The axis. labels: The channel at each position along it.
    """

    weight: str
    axis: int
    labels: Labels


class Source(msgspec.Struct, eq=False):
    """A layer that gives channels.

    Attributes:
        layer: Its name. labels: Its output channels. norms: The importance of each, shape (channels,): the L1 norm of
            its weights (Li et al., "Pruning Filters for Efficient ConvNets", 2017), times what a normalization right
            after it scales it by.
    """

    layer: str
    labels: Labels
    norms: NDArray[np.float64]


class Channels:
    """The channels of a network, as a walk through its graph finds them.

    Attributes:
        sources: The layers that give channels. cuts: All axes along which channels run.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.cuts: list[Cut] = []
        self._parents: list[int] = []
        self._kept: list[tuple[Labels, str]] = []

    def fresh(self, count: int) -> Labels:
        """So many channels that are like no others."""
        first = len(self._parents)
        self._parents += range(first, first + count)
        return np.arange(first, first + count, dtype=np.int64)

    def unite(self, left: Labels, right: Labels) -> None:
        """Channels at equal positions are one from now on."""
        for first, second in zip(left.tolist(), right.tolist(), strict=True):
            self._parents[self._root(first)] = self._root(second)

    def by_groups(self, inputs: Labels, width: int, groups: int) -> tuple[Labels, Labels | None]:
        """The output channels, ``width`` of them, of a layer in which each of ``groups`` groups of its input channels
        gives as many output channels of its own.

        All groups have to stay of one size. Either the channels at the same position of each group are one; or, where
        there are more groups than channels in one, all channels of a group are, and whole groups go.

        Returns:
            The output channels; and the channel that stands for each group where whole groups go, else None.
        """
        rows = inputs.reshape(groups, -1)
        if groups > min(rows.shape[1], width // groups):
            for column in range(1, rows.shape[1]):
                self.unite(rows[:, 0], rows[:, column])
            return np.repeat(rows[:, 0], width // groups), rows[:, 0]
        outputs = self.fresh(width)
        for own in (rows, outputs.reshape(groups, -1)):
            for row in own[1:]:
                self.unite(own[0], row)
        return outputs, None

    def keep(self, labels: Labels, reason: str, *, foremost: bool = False) -> None:
        """These channels must stay, and why; the ``foremost`` of several reasons is told, or the first."""
        self._kept.insert(0 if foremost else len(self._kept), (labels, reason))

    def cut(self, weight: str, axis: int, labels: Labels) -> None:
        """``labels`` run along an axis of a weight."""
        self.cuts.append(Cut(weight, axis, labels))

    def source(self, layer: str, labels: Labels, norms: NDArray[np.float64]) -> Source:
        """A layer gives channels."""
        self.sources.append(Source(layer, labels, norms))
        return self.sources[-1]

    def classes(self, labels: Labels) -> Labels:
        """The number that stands for each channel and all those that are one with it."""
        distinct, positions = np.unique(labels, return_inverse=True)
        roots = np.array([self._root(label) for label in distinct.tolist()], np.int64)
        return roots[positions]

    def obstacles(self) -> dict[str, str]:
        """Why the channels of a layer must stay, by its name; layers that share a channel stay together."""
        reasons: dict[int, str] = {}
        for labels, reason in self._kept:
            for root in np.unique(self.classes(labels)).tolist():
                reasons.setdefault(root, reason)
        obstacles: dict[str, str] = {}
        for group in self._groups():
            roots = {root for source in group for root in self.classes(source.labels).tolist()}
            why = next((reasons[root] for root in sorted(roots) if root in reasons), None)
            if why is not None:
                obstacles |= {source.layer: why for source in group}
        return {source.layer: obstacles[source.layer] for source in self.sources if source.layer in obstacles}

    def removed(self, share: float) -> frozenset[int]:
        """The classes that go: of each group of layers that share channels the ``share`` that has the least norm,
        rounded down; of equal norms the first ones. Every layer keeps one channel at least, and all that must stay."""
        obstacles, gone = self.obstacles(), set[int]()
        for group in self._groups():
            if any(source.layer in obstacles for source in group):
                continue
            norms: dict[int, float] = {}
            for source in group:
                for root, norm in zip(self.classes(source.labels).tolist(), source.norms.tolist(), strict=True):
                    norms[root] = norms.get(root, 0.0) + norm
            # The product of binary fractions may lie a hair below a whole number: 0.3 of 10 channels are 3.
            most, members = int(share * len(norms) + 1e-9), [set(self.classes(s.labels).tolist()) for s in group]
            went = 0
            for root in sorted(norms, key=lambda each: norms[each]):
                if went == most:
                    break
                if all(own != {root} for own in members):
                    members = [own - {root} for own in members]
                    gone.add(root)
                    went += 1
        return frozenset(gone)

    def left(self, labels: Labels, removed: frozenset[int]) -> Labels:
        """The positions of those of ``labels`` that stay."""
        gone = np.isin(self.classes(labels), np.array(sorted(removed), np.int64))
        return np.flatnonzero(~gone).astype(np.int64)

    def smaller(self, weights: Mapping[str, NDArray[Any]], removed: frozenset[int]) -> dict[str, NDArray[Any]]:
        """``weights`` by their names, without what belongs to channels that are removed."""
        result = dict(weights)
        for cut in self.cuts:
            result[cut.weight] = np.take(result[cut.weight], self.left(cut.labels, removed), axis=cut.axis)
        return result

    def widths(self, removed: frozenset[int]) -> dict[str, tuple[int, int]]:
        """Channels before and after, by layer, of those whose channels may go."""
        obstacles = self.obstacles()
        return {
            source.layer: (len(source.labels), len(self.left(source.labels, removed)))
            for source in self.sources
            if source.layer not in obstacles
        }

    def _groups(self) -> Sequence[Sequence[Source]]:
        """The layers, those together that share a channel."""
        groups: list[tuple[set[int], list[Source]]] = []
        for source in self.sources:
            roots, members = set(self.classes(source.labels).tolist()), [source]
            for joined in [group for group in groups if group[0] & roots]:
                groups.remove(joined)
                roots, members = roots | joined[0], joined[1] + members
            groups.append((roots, members))
        return [members for _, members in groups]

    def _root(self, label: int) -> int:
        while self._parents[label] != label:
            self._parents[label] = self._parents[self._parents[label]]
            label = self._parents[label]
        return label
