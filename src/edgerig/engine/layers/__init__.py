"""Layers of several measured networks in one table, by the names of the network that they were made from."""

from edgerig.engine.layers.errors import Selection
from edgerig.engine.layers.maps import keep_layer_maps
from edgerig.engine.layers.select import compare_layers, select_cells
from edgerig.results.layers.types import LayerCell, LayerComparison, LayerRow, ProfiledCell, UnmappedOperator

__all__ = [
    "LayerCell",
    "LayerComparison",
    "LayerRow",
    "ProfiledCell",
    "Selection",
    "UnmappedOperator",
    "compare_layers",
    "keep_layer_maps",
    "select_cells",
]
