"""Ensembles of decision trees, of ONNX (ai.onnx.ml); TFLite has none, so that they have no record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir.core import Node, Sizes

Aggregate = Literal["SUM", "AVERAGE", "MIN", "MAX"]
#: How two classes are told by one sum s: not at all; 1 - s and s, the second above 0.5; -s and s, the second above 0.
Binary = Literal["no", "share", "sign"]


@dataclass(eq=False)
class TreeEnsemble(Node):
    """Decision trees whose leaves' weights are summed, and what follows of the sums.

    Nodes lie depth first: the true child behind its parent, the false one ``jumps`` further; 0 marks a leaf. A branch
    goes to the true child where ``order_key`` of its feature is not above its key, or the feature is NaN and
    ``missing`` is set.

    Inputs:
        Features (1, n), float32.

    Outputs:
        Scores (1, m), float32, before softmax or logistic; and, where it is used, the label (1,), int64.

    Attributes:
        roots: First node of each tree, in the order in which they are summed.
        keys: `order_key` of each branch's threshold; of a leaf 0.
        features: The feature that each branch looks at.
        missing: Whether NaN goes to the true child.
        jumps: Nodes from a branch to its false child.
        leaf_starts: Where each leaf's weights begin in ``weights``.
        leaf_counts: How many these are; 0 for a branch.
        ids: The sum that each weight goes to.
        weights: float32.
        base: Added to each sum at the end.
        aggregate: How the trees' weights become one.
        binary: How two classes are told by one sum.
        labels: Of the classes; empty for regression, and where texts are.
    """

    op: ClassVar[str] = "TREE_ENSEMBLE"
    roots: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    keys: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    features: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    missing: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.bool_))
    jumps: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    leaf_starts: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    leaf_counts: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    ids: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int32))
    weights: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.float32))
    base: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.float32))
    aggregate: Aggregate = "SUM"
    binary: Binary = "no"
    labels: tuple[int, ...] = ()

    @property
    def macs(self) -> int:
        return 0

    def output_shapes(self) -> tuple[Sizes, ...]:
        scores = 2 if self.binary != "no" else len(self.base)
        return ((1, scores), (1,))[: len(self.outputs)]


def order_key(values: Any) -> NDArray[np.int32]:
    """Integers that are in the order of float32 numbers, so that a CPU without an FPU compares them, too.

    -0.0 is 0.0, and NaN is above all.

    >>> order_key([-1.0, -0.0, 0.0, 1e-45, float("inf")]).tolist()
    [-1065353217, 0, 0, 1, 2139095040]
    """
    numbers = np.asarray(values, np.float32) + np.float32(0)
    bits = np.atleast_1d(numbers).view(np.int32)
    keys = np.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)
    return np.where(np.isnan(numbers), np.int32(0x7FFFFFFF), keys).astype(np.int32)
