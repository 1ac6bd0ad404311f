"""What tract tells of an optimized network: its operators, what they compute, and their times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgerig.measure.census import Census, grouped
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.profile import LayerTime

#: What is no work in an inference: inputs, and constants that were prepared when the network was optimized.
_NO_WORK = frozenset({"Source", "Const"})
_TYPES = {"F16": "float16", "F32": "float32", "F64": "float64", "I8": "int8", "I16": "int16", "I32": "int32"}
PROFILE_METHOD = "tract's own profiler: it repeats an inference of the first sample for up to five seconds; mean"
CENSUS_METHOD = "profile_json without inputs: the optimized network, with the types that its operators multiply in"


def layers_of(report: Mapping[str, Any]) -> list[LayerTime]:
    """The operators that do work, with the mean of their times, from what ``profile_json`` told of a run."""
    iterations = int(report.get("profiling_info", {}).get("iterations", 0))
    return [
        LayerTime(index=index, name=node["node_name"], op=node["op_name"], time=_time(node, iterations))
        for index, node in enumerate(_working(report))
    ]


def census_of(report: Mapping[str, Any]) -> Census | Unavailable:
    """The operators; the type is known of those that multiply, by what ``profile_json`` says that they cost."""
    operators = [(str(node["op_name"]), "CPU", _dtype(node.get("cost") or {})) for node in _working(report)]
    if not operators:
        return Unavailable("tract tells of no operator that does work")
    return Census(operators=grouped(operators), method=CENSUS_METHOD)


def _working(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The operators that do work, in the order of the optimized network."""
    nodes = [node for node in report.get("nodes", []) if node["op_name"] not in _NO_WORK]
    return sorted(nodes, key=lambda node: _position(node["qualified_id"]))


def _position(identity: tuple[list[Any], int]) -> tuple[str, int]:
    """Of a node: the networks within operators (such as loops) that it is part of, and its number there."""
    path, number = identity
    return ("" if not path else repr(path), int(number))


def _dtype(cost: Mapping[str, str]) -> str:
    """The type of an operator's multiplications: ``FMA(F32)`` is float32; empty where it has none."""
    kinds = {key[len("FMA(") : -1] for key in cost if key.startswith("FMA(")}
    return _TYPES.get(kinds.pop(), "") if len(kinds) == 1 else ""


def _time(node: Mapping[str, Any], iterations: int) -> Quantity:
    seconds = node.get("secs_per_iter")
    if not seconds or not iterations:
        return Unavailable("tract has told no time of it")
    return Measurement(
        value=float(seconds), unit="s", kind="measured", method=PROFILE_METHOD, clock="std::time::Instant", n=iterations
    )
