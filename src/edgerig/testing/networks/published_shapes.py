"""Networks of the shapes of published ones for microcontrollers, with random weights whose scales lie apart.

Those of int8 are of the kind that TensorFlow's converter makes: a ReLU that is fused has its zero point at -128,
weights have a scale for each channel, and channels differ in theirs as a folded batch normalization leaves them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgerig.testing.networks.random_networks import Node, RandomNetwork


class PublishedShape(RandomNetwork):
    """Layers by short calls, as `RandomNetwork` has them, with the quantization of a converter."""

    spread = 0.5

    def __init__(self, seed: int = 0, dtype: str = "int8") -> None:
        super().__init__(dtype, seed)
        self._zero: int | None = None

    def value(self, shape: tuple[int, ...], scale: float, zero: int | None = None) -> Node:
        if self._zero is None:
            return super().value(shape, scale, zero)
        # The whole range of RELU6, as calibration finds it.
        return super().value(shape, 6 / 255, self._zero)

    def convolution(self, x: Node, channels: int, kernel: int = 1, stride: int = 1, activation: str = "RELU6") -> Node:
        """CONV_2D."""
        self._zero = -128 if activation != "NONE" else None
        y = self.conv(x, channels, kernel, stride, activation)
        self._zero = None
        return y

    def channelwise(self, x: Node, kernel: int = 3, stride: int = 1, activation: str = "RELU6") -> Node:
        """DEPTHWISE_CONV_2D."""
        self._zero = -128 if activation != "NONE" else None
        y = self.depthwise(x, stride, kernel=kernel, activation=activation)
        self._zero = None
        return y

    def separable(self, x: Node, channels: int, stride: int = 1, inner: str = "RELU6") -> Node:
        """A depthwise 3x3 convolution and a pointwise one with RELU6; ``inner``: the activation between."""
        return self.convolution(self.channelwise(x, 3, stride, inner), channels)

    def bottleneck(self, x: Node, factor: int, channels: int, stride: int = 1, kernel: int = 3) -> Node:
        """MobileNetV2's inverted residual."""
        wide = self.convolution(x, factor * x.shape[3]) if factor > 1 else x
        narrow = self.convolution(self.channelwise(wide, kernel, stride), channels, activation="NONE")
        return self.add(x, narrow) if narrow.shape == x.shape else narrow

    def maximum(self, x: Node, window: int, stride: int) -> Node:
        """MAX_POOL_2D with padding SAME."""
        y = self._like(x, (1, *(-(-side // stride) for side in x.shape[1:3]), x.shape[3]))
        sizes = {"padding": 0, "strideH": stride, "strideW": stride, "filterHeight": window, "filterWidth": window}
        self.net.operator("MAX_POOL_2D", [x.index], [y.index], "Pool2DOptions", **sizes)
        return y

    def normalization(self, x: Node) -> Node:
        """A batch normalization that no convolution takes up: MUL and ADD of a constant for each channel, and RELU."""
        channels = x.shape[3]
        factors, shifts = self.rng.uniform(0.5, 1.5, channels), self.rng.normal(0, 0.5, channels)
        scaled = self.value(x.shape, 1.5 * x.scale)
        self.net.operator("MUL", [x.index, self._constant(factors, 1.5 / 127)], [scaled.index], "MulOptions")
        y = self.value(x.shape, x.scale, -128)
        clamp = {"fusedActivationFunction": 1}
        self.net.operator("ADD", [scaled.index, self._constant(shifts, 2 / 127)], [y.index], "AddOptions", **clamp)
        return y

    def _constant(self, real: NDArray[np.float64], scale: float) -> int:
        if self.dtype == "float32":
            return self.net.tensor("c", real.shape, "float32", real)
        return self.net.tensor("c", real.shape, "int8", np.clip(np.round(real / scale), -127, 127), scale, 0)


def _channels(width: float, counts: Sequence[int]) -> list[int]:
    """Scaled, in eights, as MobileNets round them: never more than a tenth below."""
    scaled = [max(8, int(width * count + 4) // 8 * 8) for count in counts]
    return [
        eights + 8 if eights < 0.9 * width * count else eights for eights, count in zip(scaled, counts, strict=True)
    ]


def fd_mobilenet(net: PublishedShape, x: Node, width: float) -> Node:
    """Qin, Z. et al. (2018), FD-MobileNet; its depthwise convolutions are linear."""
    counts = _channels(width, (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 1024))
    y = net.convolution(x, counts[0], 3, 2)
    for count, stride in zip(counts[1:], (2, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1), strict=True):
        y = net.separable(y, count, stride, "NONE")
    return net.classes(net.mean(y), 10)


def mobilenet_v1(net: PublishedShape, x: Node, width: float) -> Node:
    """Howard, A. et al. (2017)."""
    counts = _channels(width, (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024))
    y = net.convolution(x, counts[0], 3, 2)
    for count, stride in zip(counts[1:], (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1), strict=True):
        y = net.separable(y, count, stride)
    return net.classes(net.mean(y), 10)


def mobilenet_v2(net: PublishedShape, x: Node, width: float) -> Node:
    """Sandler, M. et al. (2018)."""
    y = net.convolution(x, _channels(width, (32,))[0], 3, 2)
    for factor, count, times, stride in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        for index in range(times):
            y = net.bottleneck(y, factor, _channels(width, (count,))[0], stride if index == 0 else 1)
    return net.classes(net.mean(net.convolution(y, 1280)), 10)


def large_windows(net: PublishedShape, x: Node, width: float) -> Node:
    """Bottlenecks with windows of 3x3, 5x5 and 7x7, as MCUNet has them (Lin, J. et al., 2020)."""
    y = net.convolution(x, _channels(width, (32,))[0], 3, 2)
    for kernel, factor, count, stride in (
        *((3, 1, 16, 1), (7, 4, 24, 2), (5, 5, 24, 1), (7, 5, 40, 2), (5, 4, 40, 1)),
        *((5, 5, 80, 2), (7, 4, 80, 1), (5, 5, 96, 1), (7, 5, 160, 2), (3, 4, 160, 1)),
    ):
        y = net.bottleneck(y, factor, _channels(width, (count,))[0], stride, kernel)
    return net.classes(net.mean(y), 10)


def squeezenet(net: PublishedShape, x: Node, width: float) -> Node:
    """Iandola, F. et al. (2016), version 1.1, with poolings of 2x2."""
    counts = _channels(width, (64, 16, 64, 32, 128, 48, 192, 64, 256))
    y = net.pool(net.convolution(x, counts[0], 3, 2, "RELU"))
    for index, (squeeze, expand) in enumerate(zip(counts[1::2], counts[2::2], strict=True)):
        for _ in range(2):
            narrow = net.convolution(y, squeeze, activation="RELU")
            y = net.join(
                net.convolution(narrow, expand, activation="RELU"),
                net.convolution(narrow, expand, 3, activation="RELU"),
            )
        y = net.pool(y) if index < 2 else y
    return net.classes(net.mean(y), 10)


def yolo_lc(net: PublishedShape, x: Node, width: float) -> Node:
    """STMicroelectronics' Tiny YOLO LC (st_yolo_lc_v1) for one class and five anchors; depthwise ones are linear."""
    y = x
    for count in _channels(width, (16, 32, 64, 128)):
        y = net.convolution(y, count, 3, 2, "RELU")
    for index, count in enumerate(_channels(width, (256, 256, 128, 256))):
        y = net.convolution(net.channelwise(y, activation="NONE"), count, activation="RELU")
        y = net.maximum(y, 2, 1) if index == 1 else y
    return net.convolution(y, 30, activation="NONE")


def yamnet_256(net: PublishedShape, x: Node, width: float) -> Node:
    """YAMNet (Plakal, M., Ellis, D., 2019) up to its embedding of 256, as STMicroelectronics has it for boards."""
    y = net.convolution(x, _channels(width, (32,))[0], 3, 2, "RELU")
    for count, stride in zip(_channels(width, (64, 128, 128, 256, 256)), (1, 2, 1, 2, 1), strict=True):
        y = net.separable(y, count, stride, "RELU")
    return net.classes(net.mean(y), 10)


def miniresnet_v2(net: PublishedShape, x: Node, width: float) -> Node:
    """STMicroelectronics' MiniResNetV2 of one stack: a ResNet with normalizations before its convolutions."""
    (count,) = _channels(width, (64,))
    y = net.maximum(net.convolution(x, count, 7, 2, "NONE"), 3, 2)
    for stride in (1, 2):
        before = net.normalization(y)
        short = net.convolution(before, count, activation="NONE") if stride == 1 else net.maximum(y, 1, 2)
        inner = net.convolution(net.convolution(before, count, activation="RELU"), count, 3, stride, "NONE")
        y = net.add(short, inner)
    return net.classes(net.mean(net.normalization(y)), 10)


SHAPES: dict[str, Callable[[PublishedShape, Node, float], Node]] = {
    "fd_mobilenet": fd_mobilenet,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "large_windows": large_windows,
    "squeezenet": squeezenet,
    "yolo_lc": yolo_lc,
    "yamnet_256": yamnet_256,
    "miniresnet_v2": miniresnet_v2,
}
#: Height, width and channels of what is no square picture: mel bands and time steps.
INPUTS = {"yamnet_256": (64, 96, 1), "miniresnet_v2": (64, 50, 1)}


@lru_cache(16)
def published_shape(name: str, side: int, width: float, seed: int = 0, dtype: str = "int8") -> bytes:
    """A network of `SHAPES` for pictures of ``side`` by ``side`` by 3, or its `INPUTS`, int8 or float32, as TFLite."""
    net = PublishedShape(seed, dtype)
    x = net.value((1, *INPUTS.get(name, (side, side, 3))), 1 / 128, -1)
    y = SHAPES[name](net, x, width)
    return net.net.build([x.index], [y.index])
