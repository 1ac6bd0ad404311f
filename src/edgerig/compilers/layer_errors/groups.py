"""The operators of a file by layer."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.measure.layer_key import LayerKey
from edgerig.models.graph.layer_names import keys_of
from edgerig.models.graph.memory import constant_tensors
from edgerig.models.graph.scheme import CONVERSIONS
from edgerig.models.graph.types import Graph


class LayerGroup(msgspec.Struct, frozen=True):
    """A layer and the indices of its operators in the file, in order; conversions between types are of no layer."""

    key: LayerKey
    operators: tuple[int, ...]


def layer_groups(graph: Graph, layers: Sequence[str] = ()) -> list[LayerGroup]:
    """The layers of a file in its order, without operators that compute nothing of the input.

    Args:
        layers: Names of the source network's layers; where it is not at hand, scopes of names stand for them.
    """
    constants, keys = constant_tensors(graph), keys_of(graph, layers)
    members: dict[LayerKey, list[int]] = {}
    for operator in graph.operators:
        computed = not operator.inputs or any(index >= 0 and index not in constants for index in operator.inputs)
        if computed and operator.op not in CONVERSIONS:
            members.setdefault(keys[operator.index], []).append(operator.index)
    return [LayerGroup(key, tuple(operators)) for key, operators in members.items()]
