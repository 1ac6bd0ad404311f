"""Depthwise convolutions of Cortex-M with both roundings: no fused ReLU, scales that are far apart; on the board."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgerig.micro.ir import DepthwiseConv2D, Node
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m.depthwise.depthwise import Depthwise, Separable
from edgerig.micro.kernels.cortex_m.depthwise.depthwise_window import DepthwiseWindow, SeparableWindow
from edgerig.micro.kernels.cortex_m.depthwise.scaling import Scaling, scaling_of
from edgerig.micro.kernels.refusals import Refusal
from edgerig.testing.networks.operators import Case, OperatorBench, random_conv

#: Image, stride, SAME padding: rows of whole tiles and not, long and short, several bands.
TWICE: list[tuple[tuple[int, int, int], int, bool]] = [
    ((25, 5, 8), 1, True),
    ((6, 6, 6), 2, True),
    ((24, 24, 4), 2, True),
    ((9, 18, 4), 1, True),
    ((13, 10, 9), 2, True),
    ((9, 8, 5), 1, False),
    ((14, 17, 4), 2, False),
    ((3, 3, 3), 1, False),
    ((28, 28, 2), 1, True),
]


#: Planes of more than 64 KiB, and rows that are no whole words and longer than what is written out.
WIDE: list[tuple[tuple[int, int, int], int, bool]] = [
    ((160, 112, 2), 1, True),
    ((113, 224, 2), 2, True),
    ((20, 115, 3), 1, True),
    ((21, 50, 4), 2, False),
    ((9, 229, 2), 1, False),
]


#: Images of whose pixels one is left when they are counted by threes, channels behind them: small weights, whose
#: half-words are their own, and large ones, with one rounding and with both.
ONE_LEFT: list[tuple[tuple[int, int, int], int, str]] = [
    ((5, 5, 8), 6, "RELU"),
    ((7, 7, 7), 4, "NONE"),
    ((5, 5, 64), 24, "RELU"),
    ((4, 7, 64), 24, "NONE"),
    ((1, 1, 9), 2, "RELU"),
]
#: What `DepthwiseWindow` takes: windows of all kinds, rows of whole tiles and not, rounds of the loop and rests.
WINDOWS: list[dict[str, Any]] = [
    {"image": (12, 12, 6), "kernel": (5, 5)},
    {"image": (24, 24, 3), "kernel": (5, 5), "stride": (2, 2)},
    {"image": (14, 14, 5), "kernel": (7, 7), "activation": "RELU", "zero_points": (9, -128)},
    {"image": (13, 29, 2), "kernel": (7, 7), "stride": (2, 2)},
    {"image": (7, 7, 9), "kernel": (5, 5), "same": False, "activation": "RELU6", "zero_points": (9, -100)},
    {"image": (6, 6, 4), "kernel": (7, 7)},
    {"image": (9, 10, 4), "kernel": (4, 6)},
    {"image": (9, 11, 4), "kernel": (2, 4), "stride": (1, 2)},
    {"image": (9, 16, 4), "kernel": (3, 3), "dilation": (2, 2)},
    {"image": (19, 12, 4), "kernel": (3, 3), "stride": (3, 1)},
    {"image": (3, 300, 2), "kernel": (3, 3)},
    {"image": (1, 40, 3), "kernel": (1, 9)},
    {"image": (33, 1, 3), "kernel": (7, 1), "stride": (2, 1)},
    {"image": (10, 12, 3), "kernel": (2, 2), "stride": (2, 2), "same": False},
]


def windowed(image: tuple[int, int, int], kernel: tuple[int, int], **more: Any) -> DepthwiseConv2D:
    arguments: dict[str, Any] = {"activation": "NONE", "zero_points": (-7, 20), **more}
    node = random_conv(np.random.default_rng(5), image, image[2], kernel, depthwise=True, **arguments)
    assert isinstance(node, DepthwiseConv2D)
    return node


def linear(image: tuple[int, int, int], stride: int, same: bool, **more: Any) -> DepthwiseConv2D:
    """Without a fused ReLU, so that outputs below the zero point are seen."""
    rng = np.random.default_rng(7)
    zeros = (int(rng.integers(-128, 128)), int(rng.integers(-100, 100)))
    arguments: dict[str, Any] = {"activation": "NONE", "zero_points": zeros, **more}
    node = random_conv(rng, image, image[2], (3, 3), stride=(stride, stride), same=same, depthwise=True, **arguments)
    assert isinstance(node, DepthwiseConv2D)
    return node


def rescaled(node: DepthwiseConv2D, factors: np.ndarray) -> DepthwiseConv2D:
    """With the scales of the channels multiplied, and the bias as far from 0 as before."""
    quantization = node.inputs[1].quantization
    assert quantization is not None
    assert node.bias is not None
    scales = tuple(float(np.float32(scale)) for scale in np.array(quantization.scales) * factors)
    node.inputs[1].quantization = msgspec.structs.replace(quantization, scales=scales)
    node.bias.array[:] = np.round(node.bias.array / factors)
    return node


def chains() -> dict[str, tuple[list[Node], Kernel]]:
    made: dict[str, tuple[list[Node], Kernel]] = {}
    for index, one in enumerate(TWICE):
        made[f"linear-{index}"] = [linear(*one)], Depthwise()
        factors = 10.0 ** np.random.default_rng(index).uniform(-4, 0, one[0][2])
        relu = rescaled(linear(*one, activation="RELU", zero_points=(4, -128)), factors)
        made[f"apart-{index}"] = [relu], Depthwise()
        clamped = linear(*one, activation="RELU6", zero_points=(4, -90))
        made[f"clamped-{index}"] = [clamped], Depthwise()
    for index, one in enumerate(WIDE):
        made[f"wide-{index}"] = [linear(*one)], Depthwise()
    for index, window in enumerate(WINDOWS):
        made[f"window-{index}"] = [windowed(**window)], DepthwiseWindow()
        if index < 4:
            first = windowed(**window)
            second = random_conv(np.random.default_rng(8), first.output.shape[1:], 4, (1, 1))
            second.inputs[0] = first.output
            made[f"window-fused-{index}"] = [first, second], SeparableWindow()
    for index, (image, channels, activation) in enumerate(ONE_LEFT):
        first = windowed(image, (3, 3), activation="RELU", zero_points=(-7, -128))
        zero = -128 if activation == "RELU" else 5
        second = random_conv(
            np.random.default_rng(9), image, channels, (1, 1), activation=activation, zero_points=(0, zero)
        )
        second.inputs[0] = first.output
        made[f"one-left-{index}"] = [first, second], Separable()
    for index, one in enumerate((TWICE[0], TWICE[4], TWICE[1])):
        first = linear(*one, activation="RELU6" if index == 2 else "NONE")
        shape = first.output.shape
        second = random_conv(np.random.default_rng(8), shape[1:], 6, (1, 1), activation="NONE", zero_points=(0, 9))
        second.inputs[0] = first.output
        made[f"fused-{index}"] = [first, second], Separable()
    return made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[OperatorBench, dict[str, Case]]:
    """All cases in one firmware."""
    bench = OperatorBench(tmp_path_factory.mktemp("bench"))
    return bench, {name: bench.add(nodes, [kernel]) for name, (nodes, kernel) in chains().items()}


@pytest.mark.parametrize("name", list(chains()))
@pytest.mark.slow
def test_both_roundings_are_the_reference_s_on_the_board(
    built: tuple[OperatorBench, dict[str, Case]], name: str
) -> None:
    bench, cases = built
    rng = np.random.default_rng(8)
    for _ in range(2):
        bench.compare(cases[name], rng)


def test_a_pixel_that_is_left_has_code_of_its_own_and_takes_no_memory(
    built: tuple[OperatorBench, dict[str, Case]],
) -> None:
    _, cases = built
    for index in range(len(ONE_LEFT)):
        files = [file.path for file in cases[f"one-left-{index}"].manifest.files]
        assert any(path.endswith("_single.S") for path in files), index


def test_both_roundings_cost_three_instructions_an_output(tmp_path: Path) -> None:
    bench, rng = OperatorBench(tmp_path), np.random.default_rng(9)
    nodes = linear((24, 24, 8), 1, True), linear((24, 24, 8), 1, True, activation="RELU", zero_points=(4, -128))
    assert [_shift(node) is None for node in nodes] == [True, False]
    cases = [bench.add([node], [Depthwise()]) for node in nodes]
    counts = [bench.compare(case, rng) for case in cases]
    assert counts[0] < counts[1] + 3 * 24 * 24 * 8


def _shift(node: DepthwiseConv2D) -> int | None:
    scaling = scaling_of(node)
    assert isinstance(scaling, Scaling)
    return scaling.shift


def test_what_never_changes_may_have_any_scale(tmp_path: Path) -> None:
    node = rescaled(linear((6, 6, 6), 1, True), np.array([1, 1e-3, 1, 30.0, 1, 1]))
    assert node.bias is not None
    node.weights.array[..., [1, 3]] = 0
    node.bias.array[1:4] = 1 << 28, 5, 70
    bench = OperatorBench(tmp_path)
    bench.compare(bench.add([node], [Depthwise()]), np.random.default_rng(3))


def test_scales_of_a_half_and_more_are_named() -> None:
    node = rescaled(linear((6, 6, 6), 1, True), np.array([1, 1, 100.0, 1, 1, 1]))
    assert scaling_of(node) == Refusal("channel 2 of 6: the scale is half or more")
