"""Networks of the shapes of published ones for microcontrollers, with random weights whose scales lie apart.

Those of int8 are of the kind that TensorFlow's converter makes: a ReLU that is fused has its zero point at -128,
weights have a scale for each channel, and channels differ in theirs as a folded batch normalization leaves them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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


SHAPES: dict[str, Callable[[PublishedShape, Node, float], Node]] = {
    "fd_mobilenet": fd_mobilenet,
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "large_windows": large_windows,
    "squeezenet": squeezenet,
}


def published_shape(name: str, side: int, width: float, seed: int = 0, dtype: str = "int8") -> bytes:
    """A network of `SHAPES` for pictures of ``side`` by ``side`` by 3, int8 or float32, as a TFLite file."""
    net = PublishedShape(seed, dtype)
    x = net.value((1, side, side, 3), 1 / 128, -1)
    y = SHAPES[name](net, x, width)
    return net.net.build([x.index], [y.index])
