"""Convolutions of Cortex-M with random shapes and scales, channels that are constant among them."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.errors import CompileError
from edgerig.micro.ir import Conv2D, Node
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.cortex_m.conv.conv_block import ConvBlock, ConvPool
from edgerig.micro.kernels.cortex_m.conv.conv_first import FirstPool
from edgerig.micro.kernels.cortex_m.conv.conv_pairs import ConvPairs
from edgerig.micro.kernels.cortex_m.conv.conv_winograd import ConvWinograd
from edgerig.testing.networks.operators import OperatorBench, pool_behind, random_conv

KERNELS: dict[str, Kernel] = {
    "any": ConvPairs(),
    "block": ConvBlock(),
    "winograd": ConvWinograd(),
    "pool": ConvPool(),
    "first pool": FirstPool(),
}
CASES = 30


@pytest.mark.slow
@pytest.mark.parametrize("name", KERNELS)
def test_random_convolutions_are_bit_exact_or_refused(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(list(KERNELS).index(name))
    bench, cases, refused = OperatorBench(tmp_path), [], 0
    while len(cases) < CASES:
        nodes = _random_nodes(rng, name)
        if nodes is None:
            continue
        try:
            cases.append(bench.add(nodes, [KERNELS[name]]))
        except CompileError:
            refused += 1
    assert refused < 20 * CASES
    for case in cases:
        bench.compare(case, rng)


def _random_nodes(rng: np.random.Generator, name: str) -> Sequence[Node] | None:
    """A convolution, perhaps with a maximum behind it; None if the window is larger than the image."""
    three = name != "any"
    channels = 1 if name == "first pool" else int(rng.choice([4, 8, 12, 16] if three else [1, 2, 3, 4, 5, 6, 8, 16]))
    height, width, outputs = (int(rng.integers(1, 13)) for _ in range(3))
    if name == "winograd":
        height, width, outputs = 2 * (height // 2 + 1), 4 * (width // 4 + 1), 2 * (outputs // 2 + 1)
    kernel = (3, 3) if three else (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    steps = [(1, 1) if three else (int(rng.integers(1, 3)), int(rng.integers(1, 3))) for _ in range(2)]
    same = bool(rng.integers(2)) or name == "winograd"
    reach = [(taps - 1) * step + 1 for taps, step in zip(kernel, steps[1], strict=True)]
    if not same and (height < reach[0] or width < reach[1]):
        return None
    node = random_conv(
        rng,
        (height, width, channels),
        outputs,
        kernel,
        stride=steps[0],
        dilation=steps[1],
        same=same,
        activation=str(rng.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"])),
        zero_points=(int(rng.integers(-128, 128)), int(rng.choice([-128, -128, 0, int(rng.integers(-128, 128))]))),
    )
    if rng.integers(3) == 0:
        _make_extreme(rng, node)
    if "pool" not in name:
        return [node]
    return [node, pool_behind(node)] if min(node.output.shape[1:3]) >= 2 else None


def _make_extreme(rng: np.random.Generator, node: Conv2D) -> None:
    """Scales over orders of magnitude, weights of 0, bias far off."""
    found, bias = node.weights.quantization, node.bias
    assert found is not None
    assert bias is not None
    channels = len(found.scales)
    scales = np.array(found.scales) * 10 ** rng.uniform(-4, 1, channels)
    node.weights.quantization = msgspec.structs.replace(found, scales=tuple(np.float32(scales).tolist()))
    node.weights.array[rng.random(channels) < 0.3] = 0
    bias.array[rng.random(channels) < 0.2] = int(rng.integers(-(1 << 30), 1 << 30))
