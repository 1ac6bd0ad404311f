"""Portable convolutions with random shapes, built by two compilers for a Cortex-M7, whose long products they use."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need

from edgerig.boards.toolchain import Choice
from edgerig.micro import Options
from edgerig.micro.arithmetic.requantize import requantization
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, Node
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.testing.networks.operators import Case, OperatorBench, int8_value, pool_behind, random_conv

CASES = 60
ANY = Options(cpu="portable")


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["ziglang", "gcc"])
def test_random_convolutions_are_bit_exact(tmp_path: Path, compiler: Choice) -> None:
    if compiler == "gcc":
        need("arm-none-eabi-gcc")
    rng = np.random.default_rng(5)
    bench = OperatorBench(tmp_path, compiler)
    cases = [bench.add(nodes, PORTABLE, ANY) for nodes in (_random_nodes(rng) for _ in range(CASES))]
    for case in cases:
        bench.compare(case, rng)


def test_sums_that_fill_a_pair_and_scales_of_one_half_or_more_are_bit_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    bench = OperatorBench(tmp_path)
    # 25 * 40 products of up to 2**14: more than the lower sum of a pair holds.
    full = random_conv(rng, (7, 7, 40), 5, (5, 5), zero_points=(-128, 3))
    extreme = random_conv(rng, (6, 6, 40), 3, (5, 5), activation="NONE", zero_points=(-128, 5))
    extreme.weights.array[:] = -128
    steep = [random_conv(rng, (6, 6, 9), 9, (3, 3), depthwise=kind, activation="NONE") for kind in (False, True)]
    for node in steep:
        node.outputs[0] = int8_value("y", node.output.shape, [0.05 * 0.0055], [7])
    assert all((requantization(node).exponents > -1).all() for node in steep)
    assert requantization(full).joined
    assert requantization(extreme).short
    assert not requantization(extreme).joined
    cases = [bench.add([node], PORTABLE, ANY) for node in (full, extreme, *steep)]
    for case in cases:
        bench.compare(case, rng)
    least = np.full(cases[1].program.inputs[0].shape, -128, np.int8)
    np.testing.assert_array_equal(bench.run(cases[1], least)[0][0], cases[1].reference.run([least])[0])


@pytest.mark.parametrize("compiler", ["ziglang", "gcc"])
def test_channels_of_any_scales_are_bit_exact(tmp_path: Path, compiler: Choice) -> None:
    if compiler == "gcc":
        need("arm-none-eabi-gcc")
    rng, channels = np.random.default_rng(8), 72
    bench = OperatorBench(tmp_path, compiler)
    cases: list[Case] = []
    for activation in ("NONE", "RELU", "RELU6"):
        for kind in (False, True):
            zeros = (3, 4 if activation == "NONE" else -128)
            node = random_conv(
                rng, (6, 5, channels), channels, (3, 3), activation=activation, zero_points=zeros, depthwise=kind
            )
            factor = node.output.scale / node.input.scale
            scales = [float(factor * 2.0**power) for power in np.linspace(-36, 1.5, channels)]
            axis, old = 3 if kind else 0, node.weights
            node.inputs[1] = int8_value("w", old.shape, scales, [0] * channels, axis, old.array)
            assert set(range(-31, 2)) <= set(requantization(node).exponents)
            cases.append(bench.add([node], PORTABLE, ANY))
    for case in cases:
        bench.compare(case, rng)


def _random_nodes(rng: np.random.Generator) -> Sequence[Node]:
    """A convolution, perhaps depthwise, perhaps with a maximum behind it."""
    depthwise, depth = bool(rng.integers(2)), int(rng.choice([1, 2, 3, 5, 8, 16, 17, 20, 33]))
    kernel, stride, dilation = ((int(rng.integers(1, top)), int(rng.integers(1, top))) for top in (6, 3, 3))
    height, width = (int(rng.integers(1, 14)) for _ in range(2))
    fits = height > (kernel[0] - 1) * dilation[0] and width > (kernel[1] - 1) * dilation[1]
    node: Conv2D | DepthwiseConv2D = random_conv(
        rng,
        (height, width, depth),
        depth if depthwise else int(rng.integers(1, 12)),
        kernel,
        stride=stride,
        dilation=dilation,
        same=not fits or bool(rng.integers(2)),
        activation=str(rng.choice(["RELU", "NONE", "RELU6"])),
        zero_points=(int(rng.integers(-128, 128)), int(rng.integers(-128, 128))),
        depthwise=depthwise,
    )
    pools = min(node.output.shape[1:3]) > 1 and rng.integers(3) == 0
    return [node, pool_behind(node)] if pools else [node]
