"""Operators that move numbers keep their scale; a file in which one does not is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgerig.compilers.checks import check_artifact
from edgerig.compilers.scales import FIXED, SHARED, scale_faults
from edgerig.errors import ArtifactCheckError
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.testing.networks.tflite_builder import TfliteBuilder

POOL = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
SIZE = np.array([8, 8], np.int32)
#: Operator: shapes of input and output, options' table, options, constants behind the input.
MOVING: dict[str, tuple[tuple[int, ...], tuple[int, ...], str | None, dict[str, Any], list[Any]]] = {
    "AVERAGE_POOL_2D": ((1, 4, 4, 2), (1, 2, 2, 2), "Pool2DOptions", POOL, []),
    "MAX_POOL_2D": ((1, 4, 4, 2), (1, 2, 2, 2), "Pool2DOptions", POOL, []),
    "RESHAPE": ((1, 4), (1, 2, 2), "ReshapeOptions", {"newShape": [1, 2, 2]}, [np.array([1, 2, 2], np.int32)]),
    "TRANSPOSE": ((1, 2, 3), (1, 3, 2), "TransposeOptions", {}, [np.array([0, 2, 1], np.int32)]),
    "PAD": ((1, 2), (1, 4), "PadOptions", {}, [np.array([[0, 0], [1, 1]], np.int32)]),
    "GATHER": ((1, 4), (1, 2), "GatherOptions", {"axis": 1}, [np.array([0, 3], np.int32)]),
    "SLICE": ((1, 4), (1, 2), "SliceOptions", {}, [np.array([0, 1], np.int32), np.array([1, 2], np.int32)]),
    "RESIZE_NEAREST_NEIGHBOR": ((1, 4, 4, 2), (1, 8, 8, 2), "ResizeNearestNeighborOptions", {}, [SIZE]),
    "RESIZE_BILINEAR": ((1, 4, 4, 2), (1, 8, 8, 2), "ResizeBilinearOptions", {}, [SIZE]),
    "SPACE_TO_DEPTH": ((1, 4, 4, 1), (1, 2, 2, 4), "SpaceToDepthOptions", {"blockSize": 2}, []),
    "DEPTH_TO_SPACE": ((1, 2, 2, 4), (1, 4, 4, 1), "DepthToSpaceOptions", {"blockSize": 2}, []),
    "REDUCE_MAX": ((1, 4), (1,), "ReducerOptions", {}, [np.array([1], np.int32)]),
}


def moving(op: str, scale: float, zero_point: int) -> bytes:
    """One operator from a tensor of scale 0.5 and zero point 3 to one of the given ones."""
    before, after, kind, options, constants = MOVING[op]
    net = TfliteBuilder()
    x = net.tensor("x", before, "int8", scale=0.5, zero_point=3)
    others = [net.tensor(f"c{i}", value.shape, "int32", value) for i, value in enumerate(constants)]
    y = net.tensor("y", after, "int8", scale=scale, zero_point=zero_point)
    net.operator(op, [x, *others], [y], kind, **options)
    return net.build([x], [y])


@pytest.mark.parametrize("op", MOVING)
def test_one_scale_is_sound(op: str) -> None:
    assert op in SHARED
    assert not list(scale_faults(read_tflite(moving(op, 0.5, 3), "net.tflite")))


@pytest.mark.parametrize(("scale", "zero_point"), [(0.25, 3), (0.5, 4)])
@pytest.mark.parametrize("op", MOVING)
def test_another_scale_or_zero_point_is_refused_by_name(op: str, scale: float, zero_point: int) -> None:
    data = moving(op, scale, zero_point)
    with pytest.raises(ArtifactCheckError, match=rf"operator 0 \({op}\) moves numbers from 'x' .* to 'y'"):
        check_artifact(read_tflite(data, "net.tflite"), "int8", "net.tflite")


@pytest.mark.parametrize("op", ["CONCATENATION", "PACK", "MAXIMUM", "MINIMUM"])
def test_all_that_is_joined_has_one_scale(op: str) -> None:
    shape = {"CONCATENATION": (1, 4), "PACK": (2, 1, 2)}.get(op, (1, 2))
    kind = {"CONCATENATION": "ConcatenationOptions", "PACK": "PackOptions"}.get(op, "MaximumMinimumOptions")
    options = {"CONCATENATION": {"axis": 1}, "PACK": {"valuesCount": 2}}.get(op, {})
    for second, faults in ((0.5, 0), (0.25, 1)):
        net = TfliteBuilder()
        a, b = net.tensor("a", (1, 2), "int8", scale=0.5), net.tensor("b", (1, 2), "int8", scale=second)
        y = net.tensor("y", shape, "int8", scale=0.5)
        net.operator(op, [a, b], [y], kind, **options)
        found = list(scale_faults(read_tflite(net.build([a, b], [y]), "net.tflite")))
        assert len(found) == faults
        assert all("joins 'a' (scale 0.5, zero point 0) and 'b' (scale 0.25, zero point 0)" in text for text in found)


@pytest.mark.parametrize("op", FIXED)
def test_curves_have_the_scale_that_their_kernels_compute_with(op: str) -> None:
    kind = {"SOFTMAX": "SoftmaxOptions", "LOG_SOFTMAX": "LogSoftmaxOptions", "L2_NORMALIZATION": "L2NormOptions"}
    scale, zero_point = FIXED[op]["int8"]
    for factor, faults in ((1, 0), (2, 1)):
        net = TfliteBuilder()
        x = net.tensor("x", (1, 4), "int8", scale=0.5)
        y = net.tensor("y", (1, 4), "int8", scale=scale * factor, zero_point=zero_point)
        net.operator(op, [x], [y], kind.get(op))
        assert len(list(scale_faults(read_tflite(net.build([x], [y]), "net.tflite")))) == faults


def test_float_networks_have_no_scales() -> None:
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "float32"), net.tensor("y", (1, 4), "float32")
    net.operator("RESHAPE", [x], [y], "ReshapeOptions", newShape=[1, 4])
    assert not list(scale_faults(read_tflite(net.build([x], [y]), "net.tflite")))
