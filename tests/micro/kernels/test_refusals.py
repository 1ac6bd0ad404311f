"""Why a layer gets no better kernel: the reasons that stand in the manifest of a network."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from edgerig.micro import Options
from edgerig.micro.emit.manifest import Layer
from edgerig.micro.ir import Add, AveragePool2D, Conv2D, DepthwiseConv2D, FullyConnected, Mean, Mul, Node, Program
from edgerig.micro.kernels.refusals import Refusal, exact, require
from edgerig.micro.pipeline import compile_program
from edgerig.testing.networks.operators import in_float, int8_value, pool_behind, random_conv


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def compiled(nodes: Sequence[Node], optimize: str = "speed", cpu: str = "cortex-m7") -> tuple[Layer, ...]:
    inputs = [value for value in nodes[0].inputs if not value.constant]
    program = Program("net", "0" * 64, list(nodes), inputs, [nodes[-1].output])
    options = msgspec.convert({"cpu": cpu, "optimize": optimize}, Options)
    return compile_program(program, "net", options).manifest.layers


def reasons(*nodes: Node, optimize: str = "speed", cpu: str = "cortex-m7") -> dict[str, str]:
    """Kernel to its reason, of the first layer."""
    return {refusal.kernel: refusal.reason for refusal in compiled(nodes, optimize, cpu)[0].refusals}


def depthwise(kernel: tuple[int, int] = (3, 3), image: tuple[int, int, int] = (8, 8, 8), **more: object) -> Node:
    return random_conv(rng(), image, image[2], kernel, depthwise=True, **more)  # type: ignore[arg-type]


def rescaled(node: Node, channel: int, factor: float) -> Node:
    """With another scale of one channel's weights."""
    quantization = node.inputs[1].quantization
    assert quantization is not None
    scales = list(quantization.scales)
    scales[channel] *= factor
    node.inputs[1].quantization = msgspec.structs.replace(quantization, scales=tuple(scales))
    return node


def everywhere(node: Node, factor: float) -> Node:
    """With other scales of all channels' weights."""
    for channel in range(node.output.shape[-1]):
        rescaled(node, channel, factor)
    return node


def large_bias(node: Node, channel: int) -> Node:
    """With a bias that leaves no room in 32 bits for 256 times the sums."""
    node.inputs[2].array[channel] = 1 << 24
    return node


def averaged(*image: int) -> Mean:
    x, y = int8_value("x", (1, *image), [0.1], [4]), int8_value("y", (1, image[-1]), [0.1], [4])
    return Mean("mean", 0, [x], [y], (1, 2))


def pooled() -> AveragePool2D:
    x, y = int8_value("x", (1, 4, 4, 6), [0.1], [4]), int8_value("y", (1, 2, 2, 6), [0.1], [4])
    return AveragePool2D("pool", 0, [x], [y], (2, 2), (2, 2))


def added(scales: tuple[float, float, float], *shapes: tuple[int, ...], activation: str = "NONE") -> Add:
    a, b = (int8_value(name, shape, [scale], [3]) for name, shape, scale in zip("ab", shapes, scales, strict=False))
    return Add("sum", 0, [a, b], [int8_value("y", shapes[0], [scales[2]], [5])], activation)


def test_a_refusal_is_false_and_stands_for_what_could_not_be_worked_out() -> None:
    refusal = Refusal("5x5 window")
    assert not refusal
    assert require(False, "5x5 window") == refusal
    assert require(True, "5x5 window") is True
    assert exact(refusal) is refusal
    assert exact((0, 0)) is True


@pytest.mark.parametrize(
    ("node", "kernel", "reason"),
    [
        (depthwise((5, 5)), "depthwise-3x3", "5x5 window, 3x3 is needed"),
        (depthwise(dilation=(2, 2)), "depthwise-3x3", "dilation 2x2"),
        (depthwise(image=(9, 9, 8), stride=(3, 3)), "depthwise-3x3", "stride 3x3, 1x1 or 2x2 is needed"),
        (
            depthwise(activation="NONE", zero_points=(0, 0)),
            "depthwise-3x3",
            None,
        ),
        (
            depthwise(zero_points=(0, 0)),
            "depthwise-3x3",
            None,
        ),
        (rescaled(depthwise(), 5, 200.0), "depthwise-pointwise", None),
        (rescaled(depthwise(), 5, 200.0), "depthwise-3x3", None),
        (everywhere(depthwise(), 200.0), "depthwise-3x3", "channel 0 of 8: the scale is half or more"),
        (large_bias(rescaled(depthwise(), 6, 1 / 800), 6), "depthwise-3x3", None),
        (
            depthwise(image=(256, 256, 2)),
            "depthwise-3x3",
            "rows of 256 pixels, beyond the reach of its instructions",
        ),
        (depthwise(), "depthwise-taps", None),
        (depthwise((5, 5)), "depthwise-taps", "5x5 window, one row or column is needed"),
        (depthwise((1, 5)), "depthwise-taps", "padding"),
        (random_conv(rng(), (8, 8, 6), 4, (3, 3)), "conv-3x3", "6 channels, a multiple of 4 is needed"),
        (random_conv(rng(), (8, 8, 8), 5, (3, 3)), "conv-3x3", "5 output channels, an even number is needed"),
        (random_conv(rng(), (8, 8, 8), 4, (3, 3), stride=(2, 2)), "conv-3x3", "stride 2x2, 1x1 is needed"),
        (random_conv(rng(), (7, 7, 4), 64, (3, 3)), "conv-3x3", "the odd last column, computed twice"),
        (random_conv(rng(), (6, 6, 8), 8, (3, 3)), "conv-winograd", "output 6x6, even rows and columns in fours"),
        (random_conv(rng(), (8, 8, 68), 4, (3, 3)), "conv-winograd", "8 columns of 68 channels to 4, at most"),
        (
            everywhere(random_conv(rng(), (8, 8, 4), 6, (1, 1)), 300.0),
            "conv-columns",
            "channel 1 of 6: scale asks for a left shift",
        ),
        (added((0.05, 0.04, 0.07), (1, 8, 8, 8), (1, 1, 1, 8)), "add-bytes", "the inputs have different shapes"),
        (
            added((0.05, 0.04, 0.07), (1, 4), (1, 4), activation="RELU"),
            "add-bytes",
            "the activation clamps within the range of int8",
        ),
        (
            added((0.05, 0.04, 0.07), (1, 4), (1, 4), activation="RELU"),
            "sum-tables",
            "4 elements: its tables pay for speed from 256 on",
        ),
        (added((0.05, 0.04, 0.07), (1, 8, 8, 8), (1, 1, 1, 8)), "channel-constants", "no input is a constant"),
        (depthwise(image=(160, 112, 2)), "depthwise-3x3", None),
        (random_conv(rng(), (8, 8, 1), 1, (3, 3)), "conv-3x3", "1 output channel, an even number is needed"),
        (depthwise((1, 5), same=False, zero_points=(0, 0)), "depthwise-taps", "the activation clamps to 0..127"),
        (
            rescaled(depthwise((1, 5), same=False), 2, 100.0),
            "depthwise-taps",
            "channel 2 of 8: the scale is half or more",
        ),
        (
            rescaled(depthwise((1, 5), same=False), 2, 1e-6),
            "depthwise-taps",
            "channel 2 of 8: the scale is below 2**-23",
        ),
        (
            rescaled(random_conv(rng(), (6, 6, 8), 4, (3, 3)), 1, 1e-6),
            "conv-3x3",
            None,
        ),
        (random_conv(rng(), (8, 1, 8), 4, (3, 3)), "conv-3x3", "an output of one column"),
        (random_conv(rng(), (4, 4, 8), 514, (3, 3)), "conv-winograd", "4 columns of 8 channels to 514, at most 64"),
        (random_conv(rng(), (8, 8, 8), 4, (3, 3), dilation=(2, 2)), "conv-3x3", "dilation 2x2"),
        (added((0.05, 0.04, 1e-6), (1, 4), (1, 4)), "add-bytes", "the factors exceed 32 bits"),
        (averaged(4, 4, 6), "mean-words", "6 channels, a multiple of 4 is needed"),
        (averaged(16, 16, 4), "mean-words", "256 pixels, at most 255"),
        (pooled(), "average-pool-words", "6 channels, a multiple of 4 is needed"),
    ],
)
def test_each_reason_stands_in_the_manifest(node: Node, kernel: str, reason: str | None) -> None:
    given = reasons(node)
    assert (kernel in given) is (reason is not None)
    assert reason is None or given[kernel].startswith(reason)


def test_a_pair_of_minus_128_and_a_negative_weight_is_named() -> None:
    node = random_conv(rng(), (8, 8, 4), 6, (1, 1))
    node.weights.array[:] = 1
    node.weights.array[4:] = -128
    assert reasons(node)["conv-columns"].startswith("channels 4 and 5 of 6: a weight of -128 beside a negative one")


def test_dense_layers_tell_why_they_are_portable() -> None:
    weights = np.full((4, 8), -128, np.int8)
    values = [int8_value("x", (1, 8), [0.05], [0]), int8_value("w", (4, 8), [0.01], [0], None, weights)]
    node = FullyConnected("dense", 0, values, [int8_value("y", (1, 4), [0.1], [0])], "NONE")
    assert reasons(node) == {"dense-4x1": "a weight of -128 beside a negative one, or sums of more than 23 bits"}
    weights[:] = 1
    node = FullyConnected("dense", 0, values, [int8_value("y", (1, 4), [0.0001], [0])], "NONE")
    assert reasons(node) == {"dense-4x1": "channel 0 of 4: scale asks for a left shift"}


def test_products_by_a_constant_tell_of_their_scale() -> None:
    constant = int8_value("b", (8,), [0.05], [0], None, np.arange(8, dtype=np.int8))
    values = [int8_value("x", (1, 4, 4, 8), [0.05], [0]), constant]
    node = Mul("scale", 0, values, [int8_value("y", (1, 4, 4, 8), [0.002], [0])], "NONE")
    expected = {"channel-constants": "scale asks for a left shift", "product-bytes": "an input is a constant"}
    assert reasons(node) == expected


def test_for_size_kernels_say_that_they_are_for_speed() -> None:
    node = random_conv(rng(), (8, 8, 8), 8, (3, 3))
    assert reasons(node) == {}
    assert reasons(node, optimize="size") == {"conv-winograd": "3.6 times the flash, only for speed"}


def test_kernels_for_another_type_of_data_or_another_cpu_are_not_told() -> None:
    node = random_conv(rng(), (8, 8, 6), 5, (5, 5))
    assert isinstance(node, Conv2D)
    assert reasons(in_float(node, rng())) == {}
    node = random_conv(rng(), (8, 8, 8), 8, (5, 5), depthwise=True)
    assert reasons(node, cpu="portable") == {}


def test_refused_chains_are_told_at_their_first_operator() -> None:
    first = depthwise(image=(24, 24, 8), stride=(3, 3), zero_points=(0, -128))
    second = random_conv(rng(), (8, 8, 8), 8, (1, 1), zero_points=(0, -128))
    second.inputs[0] = first.output
    layers = compiled([first, second])
    assert [layer.op for layer in layers] == ["DEPTHWISE_CONV_2D", "CONV_2D"]
    refusals = {refusal.kernel: refusal.reason for refusal in layers[0].refusals}
    assert refusals["depthwise-pointwise"] == "stride 3x3, 1x1 or 2x2 is needed"
    assert refusals["depthwise-window-pointwise"] == "stride 3x3, 1 or 2 along rows is needed"
    assert {refusal.kernel for refusal in layers[1].refusals} == {"conv-winograd", "conv-3x3"}


def test_a_chain_refused_for_its_second_operator_says_so() -> None:
    second = rescaled(random_conv(rng(), (8, 8, 8), 8, (1, 1)), 3, 300.0)
    first = depthwise()
    second.inputs[0] = first.output
    layers = compiled([first, second])
    assert layers[0].kernel == "depthwise-3x3"
    behind = "the 1x1 convolution behind it, channel 3 of 8: scale asks for a left shift"
    assert [(refusal.kernel, refusal.reason) for refusal in layers[0].refusals] == [
        ("depthwise-pointwise", behind),
        ("depthwise-line-pointwise", "an image of 8x8, no line"),
        ("depthwise-window-pointwise", behind),
    ]


def test_what_was_fused_for_a_portable_kernel_tells_of_those_for_its_parts() -> None:
    # Channels that are no whole words: no fast kernel takes the pooling alone.
    first = random_conv(rng(), (8, 8, 8), 6, (3, 3), stride=(2, 2))
    (layer,) = compiled([first, pool_behind(first)])
    assert (layer.op, layer.kernel) == ("CONV_2D+MAX_POOL_2D", "portable-conv-pool-s8")
    refusals = {refusal.kernel: refusal.reason for refusal in layer.refusals}
    assert refusals["conv-3x3-pool"] == "stride 2x2, 1x1 is needed"
    assert refusals["conv-first-pool"] == "8 input channels, one is needed"
    assert refusals["conv-winograd"] == "stride 2x2, 1x1 is needed"
    assert refusals["conv-columns"] == "takes CONV_2D alone; it was fused with its neighbour for portable-conv-pool-s8"
    assert refusals["max-pool-words"].startswith("6 ")


def test_what_fast_kernels_take_one_by_one_is_not_fused_for_a_portable_one() -> None:
    first = random_conv(rng(), (8, 8, 8), 8, (3, 3), stride=(2, 2))
    layers = compiled([first, pool_behind(first)])
    assert [layer.kernel for layer in layers] == ["conv-columns", "max-pool-words"]
    first = random_conv(rng(), (8, 8, 8), 8, (3, 3), stride=(2, 2))
    (layer,) = compiled([first, pool_behind(first)], cpu="portable")
    assert layer.kernel == "portable-conv-pool-s8"


def test_what_was_fused_tells_of_the_better_kernel_that_refused() -> None:
    first = random_conv(rng(), (1, 20, 8), 8, (1, 5), depthwise=True, same=False)
    assert isinstance(first, DepthwiseConv2D)
    second = random_conv(rng(), (1, 16, 8), 8, (1, 1))
    second.inputs[0] = first.output
    (layer,) = compiled([first, second])
    assert layer.kernel == "depthwise-line-pointwise"
    assert [(refusal.kernel, refusal.reason) for refusal in layer.refusals] == [
        ("depthwise-pointwise", "1x5 window, 3x3 is needed")
    ]


def test_worse_kernels_than_the_one_that_runs_are_not_told() -> None:
    first = random_conv(rng(), (8, 8, 8), 8, (3, 3))
    pool = pool_behind(first)
    pool.activation = "RELU"
    layers = compiled([first, pool])
    assert layers[0].kernel == "conv-winograd"
    assert {refusal.kernel for refusal in layers[0].refusals} == {"conv-first-pool", "conv-3x3-pool"}
    assert layers[0].refusals[0].reason == "the pooling is not 2x2 with stride 2, without padding and activation"
