"""Channels that a kernel of Cortex-M cannot do exactly are computed after it, and the others as ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.micro.ir import FullyConnected, Fused, Value, Weighted
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m.conv.conv_block import ConvBlock
from edgerig.micro.kernels.cortex_m.conv.conv_pairs import ConvPairs
from edgerig.micro.kernels.cortex_m.conv.conv_winograd import ConvWinograd
from edgerig.micro.kernels.cortex_m.dense.dense import Dense
from edgerig.micro.kernels.cortex_m.depthwise.depthwise import Depthwise, Separable
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_window import DepthwiseWindow
from edgerig.micro.kernels.refusals import Refusal
from edgerig.micro.options import Options
from edgerig.testing.networks.operators import Case, OperatorBench, int8_value, random_conv

#: Kernel, its convolution; channels whose scale is a half or more, is 1 or more, whose bias takes more than 23 bits.
CASES: dict[str, tuple[Kernel, dict[str, Any]]] = {
    "columns": (ConvPairs(), {"image": (7, 9, 6), "channels": 10, "kernel": (3, 2), "stride": (2, 1)}),
    "columns-relu": (ConvPairs(), {"image": (5, 5, 8), "channels": 9, "kernel": (1, 1), "activation": "RELU"}),
    "columns-dilated": (ConvPairs(), {"image": (9, 9, 3), "channels": 8, "kernel": (3, 3), "dilation": (2, 2)}),
    "block": (ConvBlock(), {"image": (8, 8, 8), "channels": 8, "kernel": (3, 3)}),
    "winograd": (ConvWinograd(), {"image": (8, 8, 8), "channels": 8, "kernel": (3, 3)}),
    "depthwise": (Depthwise(), {"image": (9, 7, 8), "channels": 8, "kernel": (3, 3), "depthwise": True}),
    "depthwise-clamped": (
        Depthwise(),
        {"image": (9, 7, 8), "channels": 8, "kernel": (3, 3), "depthwise": True, "activation": "RELU"},
    ),
    "window": (DepthwiseWindow(), {"image": (9, 8, 9), "channels": 9, "kernel": (5, 5), "depthwise": True}),
}
SPEED = Options(cpu="cortex-m7")


def spoilt(activation: str = "NONE", **arguments: Any) -> Weighted:
    """A convolution whose channels 1, 2 and 5 no fast kernel takes."""
    zeros = (-5, -128 if activation == "RELU" and "depthwise" not in arguments else 9)
    node = random_conv(np.random.default_rng(4), **arguments, activation=activation, zero_points=zeros)
    quantization = node.weights.quantization
    assert quantization is not None
    assert node.bias is not None
    scales = np.array(quantization.scales)
    real = node.input.scale * scales / node.output.scale
    scales[1] *= 0.8 / real[1]
    scales[2] *= 3.0 / real[2]
    scales[5] *= 1e-5 / real[5]
    node.bias.array[5] = 900_000_000
    node.weights.quantization = msgspec.structs.replace(quantization, scales=tuple(np.float32(scales).tolist()))
    return node


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[OperatorBench, dict[str, Case]]:
    """All cases in one firmware."""
    bench = OperatorBench(tmp_path_factory.mktemp("bench"))
    return bench, {name: bench.add([spoilt(**more)], [kernel]) for name, (kernel, more) in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_left_out_channels_are_the_reference_s(built: tuple[OperatorBench, dict[str, Case]], name: str) -> None:
    bench, cases = built
    rng = np.random.default_rng(8)
    for _ in range(2):
        bench.compare(cases[name], rng)


def test_a_weight_of_minus_128_costs_one_channel(tmp_path: Path) -> None:
    node = random_conv(np.random.default_rng(4), (6, 6, 8), 8, (1, 1), activation="NONE", zero_points=(3, 9))
    node.weights.array[2:4, 0, 0, 0] = -128
    bench = OperatorBench(tmp_path)
    case = bench.add([node], [ConvPairs()])
    for value in (-128, 127):
        (output,), _ = bench.run(case, np.full(node.input.shape, value, np.int8))
        np.testing.assert_array_equal(output, case.reference.run([np.full(node.input.shape, value, np.int8)])[0])
    bench.compare(case, np.random.default_rng(3))


def test_one_channel_of_many_costs_little(tmp_path: Path) -> None:
    """Where the whole layer went to portable code, at 14 instructions a multiply-accumulate and more."""
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(3)
    counts = []
    for spoil in (False, True):
        node = random_conv(np.random.default_rng(4), (6, 6, 64), 64, (1, 1), activation="NONE", zero_points=(3, 9))
        if spoil:
            assert node.weights.quantization is not None
            scales = list(node.weights.quantization.scales)
            scales[7] *= 0.9 * node.output.scale / (node.input.scale * scales[7])
            node.weights.quantization = msgspec.structs.replace(node.weights.quantization, scales=tuple(scales))
        counts.append(bench.compare(bench.add([node], [ConvPairs()]), rng))
    assert counts[0] < counts[1] < 1.25 * counts[0]


def dense(activation: str, zero: int, outputs: int = 12) -> FullyConnected:
    """A scale for each output, far apart; one is 1 or more, and two neighbours have a weight of -128."""
    rng = np.random.default_rng(2)
    weights = rng.integers(-127, 128, (outputs, 40)).astype(np.int8)
    weights[4:6, 3] = -128
    scales = 0.01 * 10 ** rng.uniform(-0.5, 0, outputs)
    scales[7] = 4.0
    x = int8_value("x", (1, 40), [0.05], [-4])
    w = int8_value("w", weights.shape, scales, [0] * outputs, 0, weights)
    b = Value("b", (outputs,), "int32", None, rng.integers(-3000, 3000, outputs).astype(np.int32))
    return FullyConnected("dense", 0, [x, w, b], [int8_value("y", (1, outputs), [0.13], [zero])], activation)


def test_dense_layers_leave_channels_out_and_clamp(tmp_path: Path) -> None:
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(3)
    for activation, zero in (("NONE", 5), ("RELU", -128), ("RELU6", -30)):
        case = bench.add([dense(activation, zero)], [Dense()])
        for _ in range(3):
            bench.compare(case, rng)


def test_more_than_a_quarter_is_refused_and_so_is_what_is_fused() -> None:
    node = spoilt(image=(6, 6, 8), channels=8, kernel=(3, 3), depthwise=True)
    assert node.weights.quantization is not None
    assert Depthwise().accepts(node, SPEED) is True
    second = random_conv(np.random.default_rng(1), (6, 6, 8), 4, (1, 1))
    second.inputs[0] = node.output
    reason = Refusal("channel 1 of 8: the scale is half or more")
    assert Separable().accepts(Fused.of(node, second), SPEED) == reason
    scales = list(node.weights.quantization.scales)
    scales[3] = scales[1]
    node.weights.quantization = msgspec.structs.replace(node.weights.quantization, scales=tuple(scales))
    assert Depthwise().accepts(node, SPEED) == reason
