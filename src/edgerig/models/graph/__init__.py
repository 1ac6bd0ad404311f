"""The graph of a model file: operators, tensors, counts."""

from edgerig.models.graph.types import Graph, Operator, Tensor

__all__ = ["Graph", "Operator", "Tensor"]
