"""Multipliers, shifts and tables of positions, each held to LiteRT by itself."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.micro import ir
from edgerig.micro.arithmetic.requantize import activation_range, quantize_multiplier, scale_by, scale_once
from edgerig.micro.arithmetic.resize import bilinear_integer, bilinear_real, nearest_indices
from edgerig.micro.arithmetic.scales import mean_multiplier, product_scale, sides_scales
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import RECORDS
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

BYTES = np.arange(-128, 128)


def test_a_multiplier_is_normalised_and_its_product_is_the_scale() -> None:
    for real in (1e-9, 0.1, 0.5, 0.999999, 1.0, 3.7):
        multiplier, exponent = quantize_multiplier(real)
        assert 1 << 30 <= multiplier < 1 << 31
        assert multiplier * 2.0 ** (exponent - 31) == pytest.approx(real, rel=1e-9)
    assert quantize_multiplier(0.5) == (1 << 30, 0)
    assert quantize_multiplier(0) == (0, 0)


def test_the_two_ways_of_rounding_differ_where_they_should() -> None:
    """3 * 0.25 = 0.75 and 2 * 0.25 = 0.5: halves go away from zero in two roundings, up in one."""
    x, half, quarter = np.array([-3, -2, 2, 3]), quantize_multiplier(0.5), quantize_multiplier(0.25)
    assert scale_by(quarter, x).tolist() == [-1, -1, 1, 1]
    assert scale_once(x, *quarter).tolist() == [-1, 0, 1, 1]
    assert scale_by(half, np.array([-1, 1])).tolist() == [-1, 1] or half == (1 << 30, 0)


@pytest.mark.parametrize("op", ["ADD", "SUB", "MUL", "SQUARED_DIFFERENCE"])
@pytest.mark.parametrize("scales", [(0.1, 0.1, 0.2), (0.013, 0.4, 0.11), (0.5, 0.02, 0.9)])
def test_sums_and_products_of_all_pairs_are_litert_s(op: str, scales: tuple[float, float, float]) -> None:
    net = TfliteBuilder()
    shapes = (1, 256, 1), (1, 1, 256), (1, 256, 256)
    a, b, y = (
        net.tensor(name, shape, "int8", scale=scale, zero_point=zero)
        for name, shape, scale, zero in zip("aby", shapes, scales, (3, -20, 7), strict=True)
    )
    net.operator(op, [a, b], [y], RECORDS[op].options)
    data = net.build([a, b], [y])
    (node,) = read_program(data, "net").nodes
    first, second = BYTES[:, None] - 3, BYTES[None] + 20
    if isinstance(node, ir.Mul):
        result = scale_by(product_scale(node), first * second)
    else:
        assert isinstance(node, ir.Binary)
        pairs = sides_scales(node)
        first, second = first << pairs.left_shift, second << pairs.left_shift
        sign = 1 if op == "ADD" else -1
        total = scale_by(pairs.first, first) + sign * scale_by(pairs.second, second)
        result = scale_by(pairs.output, total**2 if op == "SQUARED_DIFFERENCE" else total)
    sides = [BYTES.astype(np.int8).reshape(shape) for shape in shapes[:2]]
    np.testing.assert_array_equal(np.clip(result + 7, -128, 127), Oracle(data).run(sides)[0][0])


@pytest.mark.parametrize("target", [(0.1, 0), (0.07, -11)])
def test_a_mean_is_litert_s(target: tuple[float, int]) -> None:
    net = TfliteBuilder()
    x = net.tensor("x", (1, 7, 5, 256), "int8", scale=0.1, zero_point=4)
    y = net.tensor("y", (1, 256), "int8", scale=target[0], zero_point=target[1])
    net.operator("MEAN", [x, net.tensor("axes", (2,), "int32", np.array([1, 2]))], [y], "ReducerOptions")
    data = net.build([x], [y])
    (node,) = read_program(data, "net").nodes
    assert isinstance(node, ir.Mean)
    count, multiplier, exponent = mean_multiplier(node)
    image = np.random.default_rng(0).integers(-128, 128, x_shape := (1, 7, 5, 256)).astype(np.int8)
    assert (count, image.shape) == (35, x_shape)
    sums = image.astype(np.int64).sum((1, 2)) - 4 * count
    result = np.clip(scale_by((multiplier, exponent), sums) + target[1], -128, 127)
    np.testing.assert_array_equal(result, Oracle(data).run([image])[0])


@pytest.mark.parametrize(("corners", "centers"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("op", ["RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"])
@pytest.mark.parametrize("size", [3, 7, 10, 19])
def test_positions_of_resized_rows_are_litert_s(op: str, corners: bool, centers: bool, size: int) -> None:
    """A column of the rows' own numbers, resized, says which rows were read and by which weights."""
    kind = {"RESIZE_BILINEAR": "ResizeBilinearOptions"}.get(op, "ResizeNearestNeighborOptions")
    for dtype in ("float32", "int8"):
        net = TfliteBuilder()
        scale = 1.0 if dtype == "int8" else None
        x, y = (net.tensor(name, (1, rows, 1, 1), dtype, scale=scale) for name, rows in (("x", 7), ("y", size)))
        sides = net.tensor("size", (2,), "int32", np.array([size, 1]))
        net.operator(op, [x, sides], [y], kind, alignCorners=corners, halfPixelCenters=centers)
        data = net.build([x], [y])
        (node,) = read_program(data, "net").nodes
        assert isinstance(node, ir.Resize)
        rows = 16 * np.arange(7)
        made = Oracle(data).run([rows.reshape(1, 7, 1, 1).astype(dtype)])[0].reshape(-1)
        if op == "RESIZE_NEAREST_NEIGHBOR":
            np.testing.assert_array_equal(made, rows[nearest_indices(node, 1)])
        elif dtype == "float32":
            lower, upper, weight = bilinear_real(node, 1)
            np.testing.assert_allclose(made, rows[lower] * (1 - weight) + rows[upper] * weight, atol=1e-4)
        else:
            lower, upper, steps = bilinear_integer(node, 1)
            total = rows[lower] * (1024 - steps) + rows[upper] * steps
            np.testing.assert_array_equal(made, (total + 512) >> 10)


def test_a_fused_activation_clamps_in_units_of_the_output() -> None:
    net = TfliteBuilder()
    value = read_program(_relu6(net), "net").outputs[0]
    assert activation_range("RELU6", value) == (-100, 20)
    assert activation_range("RELU_N1_TO_1", value) == (-120, -80)
    assert activation_range("RELU", value) == (-100, 127)
    assert activation_range("NONE", value) == (-128, 127)


def _relu6(net: TfliteBuilder) -> bytes:
    x, y = (net.tensor(name, (1, 4), "int8", scale=0.05, zero_point=-100) for name in "xy")
    net.operator("RELU6", [x], [y])
    return net.build([x], [y])
