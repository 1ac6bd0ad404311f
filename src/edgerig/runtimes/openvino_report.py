"""What OpenVINO tells of a compiled network: the time of each operator, and what runs where in which type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgerig.measure.census import Census, Request, grouped
from edgerig.measure.kinds import Quantity
from edgerig.measure.profile import LayerTime
from edgerig.runtimes.operator_times import operator_time

#: Ends of the names of kernels, by the type that they compute in.
_TYPES = {
    "f32": "float32", "f16": "float16", "bf16": "bfloat16", "i8": "int8", "u8": "uint8", "i16": "int16", "i32": "int32",
    "i64": "int64", "f64": "float64", "boolean": "bool", "u32": "uint32", "i4": "int4", "u4": "uint4",
}  # fmt: skip
#: What is no work in an inference: ends, and constants that were prepared when the network was compiled.
_NO_WORK = frozenset({"Input", "Output", "Const", "Parameter", "Result", "Constant"})
TRIM = 0.05
METHOD = "OpenVINO's own counters in a network compiled with PERF_COUNT; mean without the 5 % shortest and longest"


def layers_of(compiled: Any, runs: Sequence[Sequence[Any]]) -> list[LayerTime]:
    """The operators that were executed, in order, with the mean of their times.

    Args:
        compiled: The compiled model with performance counters.
        runs: What an infer request told after each inference.
    """
    if not runs:
        return []
    nodes = {node.get_friendly_name(): node for node in compiled.get_runtime_model().get_ordered_ops()}
    seconds = [
        [info.real_time.total_seconds() for info in position] for position in zip(*runs, strict=True)
    ]  # each operator's, in each inference
    layers: list[LayerTime] = []
    for index, info in enumerate(runs[0]):
        if str(info.status).rpartition(".")[2] != "EXECUTED" or info.node_type in _NO_WORK:
            continue
        node = nodes.get(info.node_name)
        layers.append(
            LayerTime(
                index=len(layers),
                name=info.node_name,
                op=info.node_type,
                placement=_kernel(info.exec_type),
                time=_mean(seconds[index]),
                output_shape=_shape(node) if node is not None else None,
            )
        )
    return layers


def census_of(compiled: Any, requested: tuple[Request, ...]) -> Census:
    """What runs, from the graph that OpenVINO executes: each operator with its device and the type of its kernel."""
    devices = "+".join(str(device) for device in compiled.get_property("EXECUTION_DEVICES"))
    operators = []
    for node in compiled.get_runtime_model().get_ordered_ops():
        facts = {key: value.astype(str) for key, value in node.get_rt_info().items()}
        kind = facts.get("layerType", node.get_type_name())
        if kind not in _NO_WORK:
            operators.append((kind, devices, _dtype(facts)))
    return Census(
        operators=grouped(operators),
        method="get_runtime_model(): the graph that is executed, each operator with the type of its kernel",
        requested=requested,
    )


def _dtype(facts: dict[str, str]) -> str:
    """The type that an operator computes in: of its kernel's name, or else the precision that OpenVINO tells.

    A product of float activations with weights that are stored in int8 is told as int8, its kernel as float32.
    """
    kernel = facts.get("primitiveType", "").lower().rpartition("_")[2]
    return _TYPES.get(kernel) or _TYPES.get(facts.get("runtimePrecision", "").lower(), "")


def _kernel(exec_type: str) -> str:
    """The kernel that ran, such as ``brgconv_avx512_f32``; empty where OpenVINO tells none."""
    return "" if exec_type in ("", "undef") else exec_type


def _mean(seconds: Sequence[float]) -> Quantity:
    ordered = np.sort(np.asarray(seconds, np.float64))
    cut = int(len(ordered) * TRIM)
    mean = float(ordered[cut : len(ordered) - cut].mean())
    return operator_time(mean, METHOD, "std::chrono::steady_clock", len(ordered))


def _shape(node: Any) -> tuple[int, ...] | None:
    if node.get_output_size() == 0 or not node.output(0).partial_shape.is_static:
        return None
    return tuple(int(size) for size in node.output(0).partial_shape.to_shape())
