"""The graph of a model file: operators, tensors, counts."""

from edgerig.models.graph.read import io_specs, read_graph, read_weights
from edgerig.models.graph.scheme import scheme_of
from edgerig.models.graph.types import Graph, Operator, Tensor

__all__ = ["Graph", "Operator", "Tensor", "io_specs", "read_graph", "read_weights", "scheme_of"]
