"""The label of a classifier."""

from __future__ import annotations

import numpy as np

from edgerig.micro.ir import Node
from edgerig.micro.ir.operators.labels import ClassLabel
from edgerig.micro.kernels.base import Context, Lowered
from edgerig.micro.kernels.portable.common import Portable


class LabelKernel(Portable):
    """A table of labels."""

    name = "portable-label"
    node = ClassLabel
    types = (("float32", "int64"),)
    source = "micro_label"
    supports = "float32"

    def lower(self, node: Node, context: Context) -> Lowered:
        assert isinstance(node, ClassLabel)
        labels = context.constant("labels", np.array(node.labels, np.int64))
        x, y = context.read(node.input), context.write(node.output)
        return self.lowered(f"*{y} = {labels}[micro_label({x}, {len(node.labels)})];")
