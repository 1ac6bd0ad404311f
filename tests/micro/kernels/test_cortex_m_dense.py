"""int8 depthwise, dense, sum and pooling kernels of Cortex-M against the numpy reference, on the simulated board."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerig.errors import UsageError
from edgerig.micro.arithmetic.requantize import Requantization, quantize_multiplier, scale_once, scale_twice
from edgerig.micro.ir import (
    Add,
    AveragePool2D,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool2D,
    Mean,
    Node,
    Padding,
    Quantize,
    Value,
)
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m.dense.dense import Dense
from edgerig.micro.kernels.cortex_m.dense.dense_f32 import DenseFloat
from edgerig.micro.kernels.cortex_m.depthwise.depthwise import Depthwise, Separable
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_f32 import DepthwiseFloat
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_line import SeparableLine
from edgerig.micro.kernels.cortex_m.depthwise.taps import DepthwiseTaps
from edgerig.micro.kernels.cortex_m.elementwise.elementwise import AddBytes, QuantizeBytes
from edgerig.micro.kernels.cortex_m.elementwise.pool import AveragePool, MaxPool, PixelMean
from edgerig.micro.kernels.cortex_m.prescaled import prescaled
from edgerig.micro.kernels.portable import PORTABLE
from edgerig.micro.kernels.refusals import Refusal
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case, OperatorBench, int8_value, random_conv

_OPTIONS = Options(cpu="cortex-m7")
#: Image, stride, SAME padding: rows of whole tiles and not, long and short, columns left over, several bands.
DEPTHWISE: list[tuple[tuple[int, int, int], int, bool]] = [
    ((25, 5, 8), 1, True),
    ((6, 6, 12), 1, True),
    ((3, 3, 16), 1, True),
    ((6, 6, 8), 2, True),
    ((24, 24, 4), 2, True),
    ((9, 18, 4), 1, True),
    ((13, 10, 9), 2, True),
    ((7, 7, 6), 1, True),
    ((9, 8, 5), 1, False),
    ((14, 17, 4), 2, False),
    ((3, 3, 3), 1, False),
    ((28, 28, 2), 1, True),
]
#: The same and output channels of the pointwise part.
SEPARABLE: list[tuple[tuple[int, int, int], int, bool, int]] = [
    ((25, 5, 8), 1, True, 8),
    ((12, 12, 16), 1, True, 10),
    ((12, 12, 20), 2, True, 12),
    ((7, 7, 6), 1, True, 4),
    ((5, 4, 68), 1, True, 6),
    ((3, 3, 136), 1, True, 2),
    ((10, 7, 3), 2, False, 2),
]
DENSE: list[tuple[int, int, str, tuple[int, int]]] = [
    (64, 12, "NONE", (-128, 64)),
    (640, 8, "RELU", (-128, -128)),
    (8, 128, "RELU", (3, -128)),
    (30, 10, "NONE", (-7, 3)),
    (5, 1, "NONE", (0, 36)),
    (200, 3, "NONE", (20, -20)),
    (17, 7, "NONE", (0, 0)),
    (1, 2, "NONE", (0, 0)),
]
TAPS: list[dict[str, Any]] = [
    {"image": (9, 1, 64), "channels": 64, "kernel": (9, 1), "activation": "NONE", "zero_points": (-128, 7)},
    {"image": (4, 1, 30), "channels": 30, "kernel": (4, 1), "activation": "NONE", "zero_points": (-5, -36)},
    {"image": (20, 3, 6), "channels": 6, "kernel": (3, 1), "stride": (2, 1), "dilation": (2, 1)},
    {
        "image": (3, 12, 5),
        "channels": 5,
        "kernel": (1, 5),
        "stride": (1, 3),
        "zero_points": (11, 2),
        "activation": "NONE",
    },
]
#: Length, channels, taps, output channels, zero points of input and middle.
LINES: list[tuple[int, int, int, int, tuple[int, int]]] = [
    (30, 12, 3, 8, (-128, 4)),
    (28, 8, 5, 6, (-128, -30)),
    (24, 5, 10, 4, (7, 0)),
    (40, 4, 4, 4, (-3, 12)),
    (7, 6, 2, 2, (0, 0)),
    (19, 4, 16, 2, (1, 127)),
    (64, 4, 9, 2, (-128, 5)),
]
POOLS: list[tuple[tuple[int, int, int], tuple[int, int], tuple[int, int]]] = [
    ((25, 5, 64), (25, 5), (25, 5)),
    ((7, 6, 8), (3, 3), (2, 2)),
    ((4, 4, 4), (2, 2), (2, 2)),
]


def separable(
    rng: np.random.Generator,
    image: tuple[int, int, int],
    stride: int,
    same: bool,
    channels: int,
    activation: str = "RELU",
    zero: int = -128,
) -> list[Node]:
    first = depthwise(rng, image, stride, same)
    _, height, width, depth = first.output.shape
    second = random_conv(rng, (height, width, depth), channels, (1, 1), activation=activation, zero_points=(0, zero))
    second.inputs[0] = first.output
    return [first, second]


def line(
    rng: np.random.Generator, length: int, channels: int, taps: int, out: int, zero_points: tuple[int, int]
) -> list[Node]:
    image, kernel = ((length, 1, channels), (taps, 1)) if length % 2 == 0 else ((1, length, channels), (1, taps))
    first = random_conv(
        rng, image, channels, kernel, same=False, activation="NONE", zero_points=zero_points, depthwise=True
    )
    height, width = first.output.shape[1:3]
    second = random_conv(rng, (height, width, channels), out, (1, 1))
    second.inputs[0] = first.output
    return [first, second]


def depthwise(rng: np.random.Generator, image: tuple[int, int, int], stride: int, same: bool) -> DepthwiseConv2D:
    zero = int(rng.integers(-128, 128))
    node = random_conv(
        rng, image, image[2], (3, 3), stride=(stride, stride), same=same, zero_points=(zero, -128), depthwise=True
    )
    assert isinstance(node, DepthwiseConv2D)
    return node


def dense(
    rng: np.random.Generator, inputs: int, outputs: int, activation: str, zero_points: tuple[int, int]
) -> FullyConnected:
    weights = rng.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    x = int8_value("x", (1, inputs), [0.05], [zero_points[0]])
    w = int8_value("w", weights.shape, [0.01], [0], None, weights)
    b = Value("b", (outputs,), "int32", None, rng.integers(-3000, 3000, outputs).astype(np.int32))
    y = int8_value("y", (1, outputs), [0.02 * inputs**0.5], [zero_points[1]])
    return FullyConnected("dense", 0, [x, w, b], [y], activation)


def average(image: tuple[int, int, int], window: tuple[int, int], stride: tuple[int, int]) -> AveragePool2D:
    x = int8_value("x", (1, *image), [0.1], [4])
    sizes = [(size - part) // step + 1 for size, part, step in zip(image, window, stride, strict=False)]
    y = Value("y", (1, *sizes, image[2]), "int8", x.quantization)
    return AveragePool2D("pool", 0, [x], [y], window, stride)


def maximum(image: tuple[int, int, int], window: tuple[int, int], stride: tuple[int, int]) -> MaxPool2D:
    node = average(image, window, stride)
    return MaxPool2D("pool", 0, node.inputs, node.outputs, window, stride, Padding(), "RELU")


def mean(image: tuple[int, int, int], scales: list[float]) -> Mean:
    x = int8_value("x", (1, *image), [0.1], [4])
    return Mean("mean", 0, [x], [int8_value("y", (1, image[2]), scales, [-7])], (1, 2))


def summed(rng: np.random.Generator, image: tuple[int, int, int], activation: str) -> list[Node]:
    """A depthwise convolution and the sum of what goes in and what comes out."""
    first = depthwise(rng, image, 1, True)
    y = int8_value("sum", first.output.shape, [0.09], [-128 if activation == "RELU" else 10])
    return [first, Add("add", 1, [first.output, first.input], [y], activation)]


def cases(rng: np.random.Generator) -> dict[str, tuple[Sequence[Node], Sequence[Kernel]]]:
    made: dict[str, tuple[Sequence[Node], Sequence[Kernel]]] = {}
    for i, (image, stride, same) in enumerate(DEPTHWISE):
        made[f"depthwise-{i}"] = [depthwise(rng, image, stride, same)], [Depthwise()]
    for i, one in enumerate(SEPARABLE):
        made[f"separable-{i}"] = separable(rng, *one), [Separable()]
    made["linear-0"] = separable(rng, (7, 7, 12), 1, True, 10, "NONE", 20), [Separable()]
    made["linear-1"] = separable(rng, (9, 8, 72), 2, True, 6, "RELU6", -100), [Separable()]
    for i, (image, stride) in enumerate((((25, 5, 8), 1), ((12, 12, 4), 1), ((9, 16, 4), 2), ((7, 4, 4), 1))):
        made[f"small-{i}"] = separable(rng, image, stride, True, 4), [Separable()]
    for i, each in enumerate(DENSE):
        made[f"dense-{i}"] = [dense(rng, *each)], [Dense()]
    made["dense-convolution"] = [random_conv(rng, (5, 1, 40), 30, (5, 1), same=False)], [Dense()]
    for i, taps in enumerate(TAPS):
        made[f"taps-{i}"] = [random_conv(rng, **taps, same=False, depthwise=True)], [DepthwiseTaps()]
    for i, sizes in enumerate(LINES):
        made[f"line-{i}"] = line(rng, *sizes), [SeparableLine()]
    made["lines"] = _lines(rng), [SeparableLine()]
    for i, pool in enumerate(POOLS):
        made[f"pool-{i}"] = [average(*pool)], [AveragePool()]
        made[f"max-{i}"] = [maximum(*pool)], [MaxPool()]
    made["mean"] = [mean((7, 7, 12), [0.09])], [PixelMean()]
    made["mean-up"] = [mean((3, 5, 8), [0.6])], [PixelMean()]
    made["planar"] = _blocks(rng), [Separable()]
    for activation in ("NONE", "RELU"):
        made[f"sum-{activation}"] = summed(rng, (5, 5, 6), activation), [AddBytes(), *PORTABLE]
    return made


def _lines(rng: np.random.Generator) -> list[Node]:
    """Two lines; the first hands planes to the second."""
    first, second = line(rng, 30, 8, 3, 8, (-128, 4)), line(rng, 28, 8, 6, 4, (-128, 9))
    second[0].inputs[0] = first[1].output
    return [*first, *second]


def _blocks(rng: np.random.Generator) -> list[Node]:
    """Three separable layers that hand planes on; the second works in place, its rows are no whole tiles."""
    image = (35, 8, 20)
    chain = [separable(rng, image, *one) for one in ((1, True, 20), (1, True, 20), (2, True, 4))]
    for before, after in itertools.pairwise(chain):
        after[0].inputs[0] = before[1].output
    return [node for pair in chain for node in pair]


NAMES = list(cases(np.random.default_rng(0)))


@pytest.fixture(scope="module", params=["ziglang", pytest.param("gcc", marks=pytest.mark.slow)])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[OperatorBench, dict[str, Case]]:
    """All cases in one firmware."""
    try:
        bench = OperatorBench(tmp_path_factory.mktemp("bench"), request.param)
    except UsageError as error:
        pytest.skip(str(error))
    made = cases(np.random.default_rng(7))
    small = Options(cpu="cortex-m7", optimize="size")
    return bench, {
        name: bench.add(nodes, kernels, small if name.startswith("small") else _OPTIONS)
        for name, (nodes, kernels) in made.items()
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_kernels_are_bit_exact_on_the_board(built: tuple[OperatorBench, dict[str, Case]], name: str) -> None:
    bench, made = built
    rng = np.random.default_rng(8)
    for _ in range(3):
        bench.compare(made[name], rng)


def test_kernels_take_few_instructions(built: tuple[OperatorBench, dict[str, Case]]) -> None:
    bench, made = built
    rng = np.random.default_rng(9)
    # The depthwise layer is thrifty with its columns: alone it is not to take more memory than its tensors.
    for name, most in (("dense-1", 1.1), ("depthwise-5", 4.0), ("separable-1", 2.5), ("taps-0", 5.0)):
        macs = sum(layer.macs for layer in made[name].manifest.layers)
        assert bench.compare(made[name], rng) < most * macs, name


def test_neighbours_hand_planes_on(built: tuple[OperatorBench, dict[str, Case]]) -> None:
    _, made = built
    manifest = made["planar"].manifest
    assert [layer.kernel for layer in manifest.layers] == ["depthwise-pointwise"] * 3
    image = 35 * 8 * 20
    assert manifest.memory.arena < 3 * image, "the second layer's output takes the place of its input"


def test_floats_are_rounded_away_from_zero(tmp_path: Path) -> None:
    bench = OperatorBench(tmp_path)
    x = Value("x", (1, 4099), "float32")
    case = bench.add([Quantize("q", 0, [x], [int8_value("y", (1, 4099), [0.07], [-3])])], [QuantizeBytes()])
    rng = np.random.default_rng(3)
    halves = (np.arange(-520, 520) / 2 * np.float32(0.07)).astype(np.float32)
    extremes = np.array([0.0, -0.0, 1e30, -1e30, 8.785, -8.785], np.float32)
    rest = rng.normal(0, 5, 4099 - len(halves) - len(extremes)).astype(np.float32)
    samples = np.concatenate([halves, extremes, rest])[None]
    (made,), instructions = bench.run(case, samples)
    (wanted,) = case.reference.run([samples])
    np.testing.assert_array_equal(made, wanted)
    assert instructions < 7 * 4099


def test_what_cannot_be_exact_is_left_to_others() -> None:
    rng = np.random.default_rng(1)
    node = depthwise(rng, (6, 6, 4), 1, True)
    assert Depthwise().accepts(node, _OPTIONS)
    node.outputs[0] = int8_value("y", node.output.shape, [1e-4], [-128])
    assert not Depthwise().accepts(node, _OPTIONS), "a scale of a half and more"
    layer = dense(rng, 8, 4, "NONE", (0, 0))
    layer.weights.array[:] = -128
    assert not Dense().accepts(layer, _OPTIONS), "no pair fits into 16 bits"
    five = random_conv(rng, (8, 8, 4), 4, (5, 5), depthwise=True)
    assert not Depthwise().accepts(five, _OPTIONS)
    conv = random_conv(rng, (4, 4, 8), 8, (3, 3))
    assert isinstance(conv, Conv2D)
    assert not Dense().accepts(conv, _OPTIONS)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 30),
    once=st.booleans(),
    k=st.sampled_from([2, 8]),
    one=st.booleans(),
    huge=st.booleans(),
    dead=st.booleans(),
)
def test_prescaled_parameters_are_exact(seed: int, once: bool, k: int, one: bool, huge: bool, dead: bool) -> None:
    rng = np.random.default_rng(seed)
    channels = 6
    reals = 10 ** rng.uniform(-2.6, -1.6, channels)
    bias = rng.integers(-(1 << 18), 1 << 18, channels)
    if dead:
        reals[0] *= 1e-6
    if huge:
        bias[1], reals[1] = bias[1] << 11, reals[1] * 1e-4
    pairs = [quantize_multiplier(float(real)) for real in reals]
    zero = int(rng.integers(-128, 100))
    multipliers, exponents = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    scale = Requantization(multipliers, exponents, bias.astype(np.int32), zero, -128 if once else zero, 127, once)
    reach = rng.integers(1000, 1 << 21, channels)
    found = prescaled(scale, -reach, reach, k, one, one)
    if isinstance(found, Refusal):
        assert one or huge
        return
    for channel in range(channels):
        sums = np.concatenate(
            [rng.integers(-reach[channel], reach[channel] + 1, 3000), [-reach[channel], reach[channel]]]
        )
        way = scale_once if once else scale_twice
        wanted = way(sums + bias[channel], np.int64(multipliers[channel]), np.int64(exponents[channel])) + zero
        if one and found.constant[channel]:
            sums = np.zeros_like(sums)
        product = ((sums << k) + int(found.start[channel])) * int(found.multiplier[channel]) >> 32
        made = (product + int(found.addend[channel])) >> int(found.shift[channel])
        np.testing.assert_array_equal(np.clip(made, scale.low, 127), np.clip(wanted, scale.low, 127))


@pytest.mark.parametrize(("inputs", "outputs", "activation"), [(64, 10, "NONE"), (576, 8, "RELU"), (5, 3, "RELU6")])
def test_dense_layers_of_floats_are_close(inputs: int, outputs: int, activation: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    numbers = [rng.normal(0, 1, size).astype(np.float32) for size in ((outputs, inputs), (outputs,))]
    w, b = (Value(name, one.shape, "float32", None, one) for name, one in zip("wb", numbers, strict=True))
    x, y = Value("x", (1, inputs), "float32"), Value("y", (1, outputs), "float32")
    bench = OperatorBench(tmp_path)
    case = bench.add([FullyConnected("dense", 0, [x, w, b], [y], activation)], [DenseFloat()])
    sample = rng.normal(0, 1, x.shape).astype(np.float32)
    (made,), instructions = bench.run(case, sample)
    (wanted,) = case.reference.run([sample])
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-5 * inputs**0.5)
    assert instructions < 2 * inputs * outputs + 200


FLOATS: list[dict[str, Any]] = [
    {"image": (9, 8, 16), "kernel": (3, 3), "activation": "RELU"},
    {"image": (7, 9, 13), "kernel": (5, 3), "stride": (2, 2)},
    {"image": (12, 1, 7), "kernel": (4, 1), "same": False, "activation": "RELU6"},
    {"image": (9, 9, 5), "kernel": (3, 3), "dilation": (3, 2)},
]


def test_depthwise_convolutions_of_floats_are_close(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    bench = OperatorBench(tmp_path)
    made = [bench.add([of_floats(rng, **one)], [DepthwiseFloat()]) for one in FLOATS]
    instructions = [bench.compare(case, rng) for case in made]
    assert instructions[0] < 5 * sum(layer.macs for layer in made[0].manifest.layers)


def of_floats(rng: np.random.Generator, image: tuple[int, int, int], **more: Any) -> DepthwiseConv2D:
    """The same shapes as `random_conv` makes, in floats."""
    node = random_conv(rng, image, image[2], **{"activation": "NONE", **more}, depthwise=True)
    assert isinstance(node, DepthwiseConv2D)
    assert node.bias is not None
    for value in (*node.inputs, *node.outputs):
        value.dtype, value.quantization = "float32", None
    node.weights.data = rng.normal(0, 1, node.weights.shape).astype(np.float32)
    node.bias.data = rng.normal(0, 1, node.bias.shape).astype(np.float32)
    return node
