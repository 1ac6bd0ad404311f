"""Layers of several measured networks in one table, by the names of the network that they were made from."""

from edgerig.engine.layers.compare import compare_layers, select_cells
from edgerig.engine.layers.errors import Selection
from edgerig.engine.layers.types import LayerCell, LayerComparison, LayerRow, ProfiledCell, UnmappedOperator

__all__ = [
    "LayerCell",
    "LayerComparison",
    "LayerRow",
    "ProfiledCell",
    "Selection",
    "UnmappedOperator",
    "compare_layers",
    "select_cells",
]
