"""Which of ONNX Runtime's providers runs what, and in which type, after its optimizations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgerig.measure.census import Census, Request, grouped
from edgerig.runtimes.onnx_providers import CPU

METHOD = (
    "ONNX Runtime's profile of one inference: the operators that really ran, after its optimizations; for providers "
    "that run a whole part at once its list of the nodes that they were given"
)
#: Asks a session to note which provider got which node.
ASSIGNMENT = "session.record_ep_graph_assignment_info"
#: Providers that run node by node, so that the profile has each with its types.
_NODE_BY_NODE = frozenset({CPU, "CUDAExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider"})
#: ONNX Runtime's names of types in profiles, and numpy's.
_NAMES = {"float": "float32", "double": "float64"}
_FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})
_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16"})


def census_of(session: Any, events: Sequence[dict[str, Any]], requested: Sequence[str]) -> Census:
    """The census out of the profile of one or more inferences.

    Args:
        session: Opened with `ASSIGNMENT`.
        events: The profile's events of nodes that ran.
        requested: Names of the providers that were asked for.
    """
    nodes: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        nodes.setdefault((str(event["args"].get("node_index", "")), event["name"]), event["args"])
    rows = [
        (str(node.get("op_name", "")), str(node.get("provider", "")), arithmetic(node))
        for node in nodes.values()
        if str(node.get("provider", "")) in _NODE_BY_NODE
    ]
    return Census(
        operators=grouped([*_assigned(session), *rows]),
        method=METHOD,
        requested=tuple(Request(kind="placement", name=name) for name in requested),
    )


def _assigned(session: Any) -> list[tuple[str, str, str]]:
    """Nodes of providers whose profile has a whole part of the network as one; their types are not told."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return []
    return [
        (node.op_type, part.ep_name, "")
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name not in _NODE_BY_NODE
        for node in part.get_nodes()
    ]


def arithmetic(node: dict[str, Any]) -> str:
    """The type of a node's arithmetic, from the types of its tensors in the profile.

    >>> arithmetic({"op_name": "QLinearConv", "input_type_shape": [{"uint8": [1]}, {"float": []}, {"uint8": []}]})
    'uint8'
    >>> arithmetic({"op_name": "MatMulNBits", "input_type_shape": [{"float": [1]}, {"uint8": [1]}]})
    'float32 with uint8 weights'
    """
    types = [_name(entry) for entry in node.get("input_type_shape", [])]
    results = [_name(entry) for entry in node.get("output_type_shape", [])]
    if str(node.get("op_name", "")).lower().endswith("quantizelinear") or not types:
        return results[0] if results else ""
    weights = next((name for name in types[1:] if name in _INTEGERS), None)
    if types[0] in _FLOATS and weights is not None:
        return f"{types[0]} with {weights} weights"
    return types[0]


def _name(entry: dict[str, Any]) -> str:
    name = next(iter(entry), "")
    return _NAMES.get(name, name)
