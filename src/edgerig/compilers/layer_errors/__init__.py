"""How far each layer of a deployed network is from the float network that it was made from."""

from edgerig.compilers.layer_errors.groups import LayerGroup, layer_groups
from edgerig.compilers.layer_errors.measure import NetworkFile, layer_errors

__all__ = ["LayerGroup", "NetworkFile", "layer_errors", "layer_groups"]
