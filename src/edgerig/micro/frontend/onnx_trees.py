"""TreeEnsembleClassifier and TreeEnsembleRegressor of ONNX as a node: every table is checked here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, cast, get_args

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import CompileError, ModelError
from edgerig.micro.frontend.tree_layout import TreeRows, laid_out, with_hops
from edgerig.micro.ir.operators.trees import Aggregate, Binary, TreeEnsemble, order_key

#: A branch's word in flash has 15 bits for the feature, 16 for the way to the false child, 8 for a sum.
LARGEST_FEATURE, LONGEST_JUMP, MOST_SUMS = (1 << 15) - 1, (1 << 16) - 1, 256
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "LEAF")


@dataclass(frozen=True)
class Attributes:
    """The attributes of an operator of trees: lists of equal length, checked where they are asked for.

    Args:
        where: The operator as a message names it.
        values: By their names in the file.
        prefix: ``class`` or ``target``, of the leaves' tables.
        features: Columns of the input.
    """

    where: str
    values: Mapping[str, Any]
    prefix: str
    features: int

    def column(self, name: str, count: int, default: int | None = None) -> NDArray[np.int64]:
        """A list of integers of ``count`` entries."""
        values = self.values.get(name)
        if (values is None or len(values) == 0) and default is not None:
            return np.full(count, default, np.int64)
        return self._list(name, count, np.int64)

    def real(self, name: str, count: int) -> NDArray[np.float32]:
        """A list of numbers of ``count`` entries, which are no NaN."""
        values = self._list(name, count, np.float32)
        if np.isnan(values).any():
            self.corrupt(f"{name} has a NaN")
        return values

    def _list(self, name: str, count: int, dtype: Any) -> NDArray[Any]:
        values = np.array(self.values.get(name, ()), dtype)
        if len(values) != count:
            self.corrupt(f"{name} has {len(values):,} entries, and {count:,} are needed")
        return values

    def text(self, name: str, default: str) -> str:
        """A text."""
        value = self.values.get(name, default.encode())
        return bytes(value).decode(errors="replace")

    def corrupt(self, why: str) -> NoReturn:
        """The file contradicts itself."""
        raise ModelError(f"{self.where} is corrupt: {why}.", "Was it copied whole? Convert the model again.")

    def refuse(self, why: str, hint: str) -> NoReturn:
        """The compiler does not know that."""
        raise CompileError(f"{self.where} cannot be compiled to C: {why}.", hint)


def trees_of(attributes: Attributes, sums: int, **parts: Any) -> TreeEnsemble:
    """The node of the attributes' trees, whose leaves go to ``sums`` sums.

    Args:
        attributes: Of the operator.
        sums: Classes, or targets.
        parts: Fields of the node: name, position, inputs, outputs.

    Raises:
        ModelError: Its tables contradict one another: cycles, children and features that are not there.
        CompileError: It uses what the compiler does not know.
    """
    for name in attributes.values:
        if name.endswith("_as_tensor"):
            attributes.refuse(f"{name} holds numbers of double precision", "Convert the model with float32 inputs.")
    if sums > MOST_SUMS:
        attributes.refuse(f"it has {sums} sums", f"{MOST_SUMS} classes or targets are the most.")
    aggregate = attributes.text("aggregate_function", "SUM")
    if aggregate not in get_args(Aggregate):
        attributes.refuse(f"its aggregate_function is {aggregate}", f"Known are {', '.join(get_args(Aggregate))}.")
    layout = laid_out(_network(attributes), attributes.corrupt)
    jumps = layout.jumps[~layout.hops]
    if layout.jumps.max(initial=0) > LONGEST_JUMP:
        attributes.refuse(f"a tree has more than {LONGEST_JUMP:,} nodes on one side", "Limit the depth of the trees.")
    fields = {
        **_branches(attributes, layout.order, jumps),
        **_leaves(attributes, layout.order, sums, aggregate),
    }
    return TreeEnsemble(
        **parts,
        **with_hops(fields, layout),
        roots=layout.roots,
        base=_base(attributes, sums),
        aggregate=cast(Aggregate, aggregate),
    )


def _count(attributes: Attributes) -> int:
    return len(attributes.values.get("nodes_treeids", ()))


def _modes(attributes: Attributes) -> NDArray[Any]:
    modes = np.array([bytes(mode).decode(errors="replace") for mode in attributes.values.get("nodes_modes", ())])
    if len(modes) != _count(attributes):
        attributes.corrupt(f"nodes_modes has {len(modes):,} entries, and {_count(attributes):,} are needed")
    unknown = sorted(set(modes.tolist()) - set(_MODES))
    if unknown:
        attributes.refuse(f"branches by {unknown[0]}", f"Known are {', '.join(_MODES[:-1])}.")
    return modes


def _backwards(attributes: Attributes) -> NDArray[np.bool_]:
    """Branches that are taken where the value is above: their children change places."""
    return np.isin(_modes(attributes), ("BRANCH_GTE", "BRANCH_GT"))


def _places(attributes: Attributes) -> dict[tuple[int, int], int]:
    """Tree and number to row."""
    count = _count(attributes)
    if count == 0:
        attributes.corrupt("it has no nodes")
    trees, numbers = attributes.column("nodes_treeids", count), attributes.column("nodes_nodeids", count)
    places = {key: row for row, key in enumerate(zip(trees.tolist(), numbers.tolist(), strict=True))}
    if len(places) != count:
        attributes.corrupt("a tree has two nodes of one number")
    return places


def _network(attributes: Attributes) -> TreeRows:
    """Children of each row of the file, and where its trees begin."""
    places, count = _places(attributes), _count(attributes)
    trees = attributes.column("nodes_treeids", count).tolist()
    yes, no = (attributes.column(f"nodes_{side}nodeids", count).tolist() for side in ("true", "false"))
    modes, backwards = _modes(attributes), _backwards(attributes)
    leaf = modes == "LEAF"
    children = np.full((count, 2), -1, np.int64)
    for row in np.flatnonzero(~leaf).tolist():
        both = [places.get((trees[row], number), -1) for number in (yes[row], no[row])]
        if -1 in both:
            attributes.corrupt(f"node {row} has a child that is not there")
        children[row] = both[::-1] if backwards[row] else both
    # The first node of a tree in the file is its root.
    roots = sorted(dict(zip(reversed(trees), range(count - 1, -1, -1), strict=True)).values())
    missing = attributes.column("nodes_missing_value_tracks_true", count, 0) != 0
    always = (modes == "BRANCH_LEQ") & missing & np.isposinf(attributes.real("nodes_values", count))
    return TreeRows(children, roots, always)


def _branches(attributes: Attributes, order: Sequence[int], jumps: NDArray[Any]) -> dict[str, NDArray[Any]]:
    count = _count(attributes)
    features = attributes.column("nodes_featureids", count)[order]
    missing = attributes.column("nodes_missing_value_tracks_true", count, 0)[order] != 0
    thresholds = attributes.real("nodes_values", count)[order]
    leaf, backwards = jumps == 0, _backwards(attributes)[order]
    bad = ~leaf & ((features < 0) | (features >= attributes.features))
    if bad.any():
        attributes.corrupt(
            f"a branch looks at feature {features[bad][0]}, and the input has {attributes.features} of them"
        )
    # Below a number is at most the number before it.
    strict = np.isin(_modes(attributes)[order], ("BRANCH_LT", "BRANCH_GTE"))
    keys = order_key(thresholds).astype(np.int64) - strict
    return {
        "keys": np.where(leaf, 0, keys).astype(np.int32),
        "features": np.where(leaf, 0, features).astype(np.int32),
        "missing": ~leaf & (missing ^ backwards),
        "jumps": jumps.astype(np.int32),
    }


def _leaves(attributes: Attributes, order: Sequence[int], sums: int, aggregate: str) -> dict[str, NDArray[Any]]:
    """Each leaf's weights; leaves that are equal share theirs."""
    prefix, places = attributes.prefix, _places(attributes)
    count = len(attributes.values.get(f"{prefix}_ids", ()))
    ids, weights = attributes.column(f"{prefix}_ids", count), attributes.real(f"{prefix}_weights", count)
    trees, nodes = (attributes.column(f"{prefix}_{which}ids", count).tolist() for which in ("tree", "node"))
    if not np.isfinite(weights).all():
        attributes.corrupt("a leaf's weight is infinite")
    if count and (ids.min() < 0 or ids.max() >= sums):
        attributes.corrupt(f"a leaf gives to {prefix} {int(ids.max())}, and there are {sums}")
    of_row: dict[int, list[tuple[int, float]]] = {}
    for owner, number, weight in zip(zip(trees, nodes, strict=True), ids.tolist(), weights.tolist(), strict=True):
        row = places.get(owner)
        if row is None:
            attributes.corrupt(f"a weight is of node {owner[1]} in tree {owner[0]}, which is not there")
        of_row.setdefault(row, []).append((number, weight))
    _check_leaves(attributes, of_row, sums, aggregate)
    starts, counts = np.zeros(len(order), np.int32), np.zeros(len(order), np.int32)
    known: dict[tuple[tuple[int, float], ...], int] = {}
    flat: list[tuple[int, float]] = []
    for number, row in enumerate(order):
        # To add 0 changes nothing.
        own = tuple(pair for pair in of_row.get(row, ()) if pair[1] != 0 or aggregate in ("MIN", "MAX"))
        if own not in known:
            known[own] = len(flat)
            flat += own
        starts[number], counts[number] = known[own], len(own)
    flat = flat or [(0, 0.0)]
    numbers, values = zip(*flat, strict=True)
    return {
        "leaf_starts": starts,
        "leaf_counts": counts,
        "ids": np.array(numbers, np.int32),
        "weights": np.array(values, np.float32),
    }


def _check_leaves(
    attributes: Attributes,
    of_row: Mapping[int, Sequence[tuple[int, float]]],
    sums: int,
    aggregate: str,
) -> None:
    leaves = set(np.flatnonzero(_modes(attributes) == "LEAF").tolist())
    if not set(of_row) <= leaves:
        attributes.corrupt(f"node {min(set(of_row) - leaves)} is a branch and has a weight")
    for row, own in of_row.items():
        if len({number for number, _ in own}) != len(own):
            attributes.corrupt(f"leaf {row} gives twice to one {attributes.prefix}")
    if aggregate in ("MIN", "MAX") and any(len(of_row.get(row, ())) != sums for row in leaves):
        attributes.refuse(
            f"a leaf gives nothing to some {attributes.prefix}, of which the {aggregate} is taken", "Write all weights."
        )
    negative = min(attributes.values.get("class_weights", ()), default=0) < 0
    if attributes.prefix == "class" and negative and not len(attributes.values.get("base_values", ())):
        _check_all_scored(attributes, of_row, leaves, sums)


def _check_all_scored(
    attributes: Attributes, of_row: Mapping[int, Sequence[tuple[int, float]]], leaves: set[int], sums: int
) -> None:
    """A class that no leaf gave to is not among those that the label is of, though 0 be more than their sums."""
    trees = attributes.values["nodes_treeids"]
    scored: dict[int, set[int]] = {}
    for row in leaves:
        own = {number for number, _ in of_row.get(row, ())}
        scored[trees[row]] = scored.get(trees[row], own) & own
    if sums > 1 and len(set().union(*scored.values())) != sums:
        attributes.refuse(
            "a class has a sum for some samples only, and others' sums are negative", "Convert it with base_values."
        )


def _base(attributes: Attributes, sums: int) -> NDArray[np.float32]:
    values = attributes.values.get("base_values", ())
    if len(values) not in (0, sums):
        attributes.corrupt(f"base_values has {len(values)} entries for {sums} sums")
    base = attributes.real("base_values", len(values)) if len(values) else np.zeros(sums, np.float32)
    if not np.isfinite(base).all():
        attributes.corrupt("base_values has an infinite number")
    return base


def binary_of(attributes: Attributes, transform: str, classes: int) -> Binary:
    """How classes are told by the sums of a classifier: two that have one sum, as ONNX Runtime has it.

    Raises:
        CompileError: It has two sums, of which runtimes make different scores.
    """
    used = set(attributes.values.get("class_ids", ()))
    if classes == 1 and transform != "NONE":
        attributes.refuse(f"it has one class and the post_transform {transform}", "Train it on two classes.")
    if classes != 2:
        return "no"
    if used != {0} or transform == "SOFTMAX":
        attributes.refuse(
            "two classes have two sums, or their sum a softmax, of which runtimes make different scores",
            "Convert it with skl2onnx or onnxmltools, which write one sum.",
        )
    positive = min(attributes.values.get("class_weights", ()), default=0) >= 0
    return "share" if positive and transform == "NONE" else "sign"
