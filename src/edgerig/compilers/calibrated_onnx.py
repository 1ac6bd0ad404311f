"""Masks of a float ONNX network made no larger than need be, and what its calibrated ranges must not be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.finite_weights import check_ranges
from edgerig.compilers.masks import DEPTH, STEPS, bounds, check_lost, limited, masks_of
from edgerig.models.graph.onnx_file import read_onnx, read_onnx_weights

#: The least and the largest value of a tensor, as ONNX Runtime's quantizer has them.
Ends = tuple[NDArray[Any], NDArray[Any]]


def with_masks(prepared: Path, samples: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Change the masks in a float ONNX file to finite numbers that do the same (see `edgerig.compilers.masks`).

    Args:
        samples: For each input, by its name, an array (n, *input shape).

    Returns:
        From where on masked scores make no difference, by the tensor's name.
    """
    data = prepared.read_bytes()
    graph, constants = read_onnx(data, prepared), read_onnx_weights(data, prepared)
    masks = masks_of(graph, constants)
    names = [tensor.name for tensor in graph.tensors]
    if not masks.constants:
        return {}
    stand_in = _with(data, {names[c]: value for c, value in masks.stand_ins(constants).items()})
    ranges = _ranges(stand_in, [names[index] for index in masks.scores], samples)
    needed = bounds(masks, dict(zip(masks.scores, ranges, strict=True)), DEPTH["int8"])
    prepared.write_bytes(_with(data, {names[c]: limited(constants[c], m) for c, m in needed.magnitudes.items()}))
    return {names[index]: floor for index, floor in needed.floors.items()}


def checked_ends(
    prepared: Path, floors: Mapping[str, float], excluded: Collection[int], file: str
) -> Callable[[Mapping[str, Ends]], dict[str, Ends]]:
    """What makes the ranges to quantize with of those that were calibrated.

    Args:
        floors: Of `with_masks`. excluded: Positions of operators that stay in float. file: The name of the user's file.

    The function raises:
        CompileError: A tensor is not finite, or would be lost in the scale of another one.
    """
    whole = read_onnx(prepared.read_bytes(), prepared)
    left = tuple(operator for operator in whole.operators if operator.index not in excluded)
    graph = msgspec.structs.replace(whole, operators=left)

    def checked(ranges: Mapping[str, Ends]) -> dict[str, Ends]:
        check_ranges(ranges, file)
        result = {name: _raised(ends, floors.get(name)) for name, ends in ranges.items()}
        reached = {name: (float(np.min(low)), float(np.max(high))) for name, (low, high) in result.items()}
        check_lost(graph, reached, STEPS["int8"], file)
        return result

    return checked


def _raised(ends: Ends, floor: float | None) -> Ends:
    return ends if floor is None else (np.maximum(ends[0], np.asarray(floor, ends[0].dtype)), ends[1])


def _ranges(model: bytes, names: list[str], samples: Mapping[str, NDArray[Any]]) -> list[tuple[float, float]]:
    import onnx
    import onnxruntime

    loaded = onnx.load_model_from_string(model)
    there = {value.name for value in loaded.graph.output}
    loaded.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in there)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(loaded.SerializeToString(), options, providers=["CPUExecutionProvider"])
    lows, highs = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    for sample in zip(*samples.values(), strict=True):
        values = session.run(names, dict(zip(samples, sample, strict=True)))
        lows = np.minimum(lows, [value.min() for value in values])
        highs = np.maximum(highs, [value.max() for value in values])
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def _with(model: bytes, constants: Mapping[str, NDArray[Any]]) -> bytes:
    import onnx

    loaded = onnx.load_model_from_string(model)
    for proto in loaded.graph.initializer:
        if proto.name in constants:
            proto.CopyFrom(onnx.numpy_helper.from_array(constants[proto.name], proto.name))
    data: bytes = loaded.SerializeToString()
    return data
