"""Small networks of well-known architectures with random weights: a ResNet, a MobileNetV2, a U-Net; int8 or float32."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgerig.testing.networks.tflite_builder import TfliteBuilder

_CLAMPS = {"NONE": 0, "RELU": 1, "RELU6": 3}


@dataclass(frozen=True)
class Node:
    """A tensor of the network under construction: its index, shape and scale."""

    index: int
    shape: tuple[int, ...]
    scale: float

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class RandomNetwork:
    """Adds layers by short calls; every activation gets a scale that matches its range."""

    #: Standard deviation of the logarithm of how far the weights of a layer's channels lie apart.
    spread = 0.0

    def __init__(self, dtype: str, seed: int = 0) -> None:
        self.net, self.dtype = TfliteBuilder(), dtype
        self.rng = np.random.default_rng(seed)
        self._count = 0

    def value(self, shape: tuple[int, ...], scale: float, zero: int | None = None) -> Node:
        """An activation."""
        self._count += 1
        zero = int(self.rng.integers(-20, 20)) if zero is None else zero
        quantized = scale if self.dtype == "int8" else None
        return Node(self.net.tensor(f"v{self._count}", shape, self.dtype, None, quantized, zero), shape, scale)

    def weights(self, shape: tuple[int, ...], axis: int, inputs: int, source: float) -> list[int]:
        """Weights with a scale for each channel, and the bias."""
        channels = shape[axis]
        real = self.rng.normal(0, 1 / np.sqrt(inputs), shape)
        if self.spread:
            along = [-1 if position == axis else 1 for position in range(len(shape))]
            real *= np.exp(self.rng.normal(0, self.spread, channels)).reshape(along)
        bias = self.rng.normal(0, 0.1, channels)
        if self.dtype == "float32":
            return [self.net.tensor("w", shape, "float32", real), self.net.tensor("b", (channels,), "float32", bias)]
        others = tuple(position for position in range(len(shape)) if position != axis)
        scales = np.abs(real).max(others) / 127
        data = np.round(real / np.expand_dims(scales, others))
        steps = [float(source * scale) for scale in scales]
        each = [float(scale) for scale in scales]
        return [
            self.net.tensor("w", shape, "int8", data, each, axis=axis),
            self.net.tensor("b", (channels,), "int32", np.round(bias / steps), steps),
        ]

    def conv(
        self, x: Node, channels: int, kernel: int = 3, stride: int = 1, activation: str = "RELU", valid: bool = False
    ) -> Node:
        """CONV_2D."""
        size = [-(-(side - (kernel - 1) * valid) // stride) for side in x.shape[1:3]]
        y = self.value((1, *size, channels), 0.03)
        depth = x.shape[3]
        weights = self.weights((channels, kernel, kernel, depth), 0, kernel * kernel * depth, x.scale)
        self.net.operator(
            "CONV_2D",
            [x.index, *weights],
            [y.index],
            "Conv2DOptions",
            padding=int(valid),
            strideH=stride,
            strideW=stride,
            fusedActivationFunction=_CLAMPS[activation],
        )
        return y

    def depthwise(
        self, x: Node, stride: int = 1, valid: bool = False, kernel: int = 3, activation: str = "RELU6"
    ) -> Node:
        """DEPTHWISE_CONV_2D."""
        size = [-(-(side - (kernel - 1) * valid) // stride) for side in x.shape[1:3]]
        y = self.value((1, *size, x.shape[3]), 0.025)
        weights = self.weights((1, kernel, kernel, x.shape[3]), 3, kernel * kernel, x.scale)
        self.net.operator(
            "DEPTHWISE_CONV_2D",
            [x.index, *weights],
            [y.index],
            "DepthwiseConv2DOptions",
            padding=int(valid),
            strideH=stride,
            strideW=stride,
            depthMultiplier=1,
            fusedActivationFunction=_CLAMPS[activation],
        )
        return y

    def up(self, x: Node, channels: int) -> Node:
        """TRANSPOSE_CONV of 2x2 that doubles height and width."""
        y = self.value((1, 2 * x.shape[1], 2 * x.shape[2], channels), 0.03)
        shape = self.net.tensor("shape", (4,), "int32", np.array(y.shape))
        weights = self.weights((channels, 2, 2, x.shape[3]), 0, x.shape[3], x.scale)
        self.net.operator(
            "TRANSPOSE_CONV",
            [shape, weights[0], x.index, weights[1]],
            [y.index],
            "TransposeConvOptions",
            padding=1,
            strideH=2,
            strideW=2,
        )
        return y

    def resize(self, x: Node) -> Node:
        """RESIZE_BILINEAR that doubles height and width."""
        like = self._like(x, (1, 2 * x.shape[1], 2 * x.shape[2], x.shape[3]))
        size = self.net.tensor("size", (2,), "int32", np.array(like.shape[1:3]))
        options = {"halfPixelCenters": True}
        self.net.operator("RESIZE_BILINEAR", [x.index, size], [like.index], "ResizeBilinearOptions", **options)
        return like

    def pool(self, x: Node) -> Node:
        """MAX_POOL_2D of 2x2."""
        y = self._like(x, (1, x.shape[1] // 2, x.shape[2] // 2, x.shape[3]))
        window = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
        self.net.operator("MAX_POOL_2D", [x.index], [y.index], "Pool2DOptions", **window)
        return y

    def pad(self, x: Node) -> Node:
        """PAD by a row below and a column to the right."""
        y = self._like(x, (1, x.shape[1] + 1, x.shape[2] + 1, x.shape[3]))
        pads = self.net.tensor("pads", (4, 2), "int32", np.array([[0, 0], [0, 1], [0, 1], [0, 0]]))
        self.net.operator("PAD", [x.index, pads], [y.index], "PadOptions")
        return y

    def add(self, x: Node, other: Node, activation: str = "NONE") -> Node:
        """ADD."""
        y = self.value(x.shape, 0.04)
        options = {"fusedActivationFunction": _CLAMPS[activation]}
        self.net.operator("ADD", [x.index, other.index], [y.index], "AddOptions", **options)
        return y

    def join(self, x: Node, other: Node) -> Node:
        """CONCATENATION of channels, after a QUANTIZE that gives both the same scale."""
        if self.dtype == "int8":
            same = self._like(other, x.shape)
            self.net.operator("QUANTIZE", [x.index], [same.index])
            x = same
        y = self._like(other, (*x.shape[:3], x.shape[3] + other.shape[3]))
        self.net.operator("CONCATENATION", [x.index, other.index], [y.index], "ConcatenationOptions", axis=3)
        return y

    def mean(self, x: Node) -> Node:
        """MEAN over height and width."""
        y = self.value((1, x.shape[3]), 0.01)
        axes = self.net.tensor("axes", (2,), "int32", np.array([1, 2]))
        self.net.operator("MEAN", [x.index, axes], [y.index], "ReducerOptions")
        return y

    def classes(self, x: Node, count: int) -> Node:
        """FULLY_CONNECTED and SOFTMAX."""
        logits, y = self.value((1, count), 0.02), self.value((1, count), 1 / 256, -128)
        weights = self.weights((count, x.shape[1]), 0, x.shape[1], x.scale)
        self.net.operator("FULLY_CONNECTED", [x.index, *weights], [logits.index], "FullyConnectedOptions")
        self.net.operator("SOFTMAX", [logits.index], [y.index], "SoftmaxOptions", beta=1.0)
        return y

    def sigmoid(self, x: Node) -> Node:
        """LOGISTIC."""
        y = self.value(x.shape, 1 / 256, -128)
        self.net.operator("LOGISTIC", [x.index], [y.index])
        return y

    def function(self, x: Node, op: str) -> Node:
        """A function of one value: RELU, RELU6, TANH, LOGISTIC; the first two may keep the scale."""
        scale, zero = {"TANH": (1 / 128, 0), "LOGISTIC": (1 / 256, -128)}.get(op, (0.03, None))
        y = self._like(x, x.shape) if zero is None and self.rng.integers(2) else self.value(x.shape, scale, zero)
        self.net.operator(op, [x.index], [y.index])
        return y

    def flat(self, x: Node) -> Node:
        """RESHAPE to height * width, 1."""
        y = self._like(x, (1, x.shape[1] * x.shape[2], 1, x.shape[3]))
        shape = self.net.tensor("shape", (4,), "int32", np.array(y.shape))
        self.net.operator("RESHAPE", [x.index, shape], [y.index], "ReshapeOptions", newShape=list(y.shape))
        return y

    def halves(self, x: Node) -> list[Node]:
        """SPLIT of the channels."""
        parts = [self._like(x, (*x.shape[:3], x.shape[3] // 2)) for _ in range(2)]
        axis = self.net.tensor("axis", (), "int32", np.array(3))
        self.net.operator("SPLIT", [axis, x.index], [part.index for part in parts], "SplitOptions", numSplits=2)
        return parts

    def _like(self, x: Node, shape: tuple[int, ...]) -> Node:
        """A tensor of another shape with the quantization of ``x``."""
        tensor = self.value(shape, x.scale)
        self.net.copy_quantization(x.index, tensor.index)
        return tensor


def _resnet(net: RandomNetwork, x: Node) -> Node:
    y = net.conv(x, 8)
    for channels, stride in ((8, 1), (16, 2)):
        inner = net.conv(net.conv(y, channels, stride=stride), channels, activation="NONE")
        y = net.add(y if stride == 1 else net.conv(y, channels, 1, stride, "NONE"), inner, "RELU")
    return net.classes(net.mean(y), 10)


def _mobilenet(net: RandomNetwork, x: Node) -> Node:
    y = net.conv(net.pad(x), 8, stride=2, activation="RELU6", valid=True)
    for channels, stride in ((8, 1), (12, 2), (12, 1)):
        wide = net.conv(y, 4 * y.shape[3], 1, activation="RELU6")
        wide = net.depthwise(net.pad(wide), 2, valid=True) if stride == 2 else net.depthwise(wide)
        narrow = net.conv(wide, channels, 1, activation="NONE")
        y = net.add(y, narrow) if narrow.shape == y.shape else narrow
    return net.classes(net.mean(y), 5)


def _unet(net: RandomNetwork, x: Node) -> Node:
    first = net.conv(x, 6)
    second = net.conv(net.pool(first), 10)
    y = net.conv(net.pool(second), 14)
    y = net.conv(net.join(net.up(y, 10), second), 10)
    y = net.conv(net.join(net.resize(y), first), 6)
    return net.sigmoid(net.conv(y, 1, 1, activation="NONE"))


NETWORKS: dict[str, Callable[[RandomNetwork, Node], Node]] = {
    "resnet": _resnet,
    "mobilenet_v2": _mobilenet,
    "unet": _unet,
}


def random_network(name: str, dtype: str = "int8", side: int = 16, seed: int = 0) -> bytes:
    """A network of `NETWORKS` for pictures of ``side`` by ``side`` by 3, a multiple of 4, as a TFLite file."""
    net = RandomNetwork(dtype, seed)
    x = net.value((1, side, side, 3), 1 / 64)
    y = NETWORKS[name](net, x)
    return net.net.build([x.index], [y.index])


def random_graph(seed: int, dtype: str = "int8") -> bytes:
    """A network of 2 to 12 random layers with branches that join again, and several outputs, some of inner layers."""
    net = RandomNetwork(dtype, seed)
    rng = net.rng
    x = net.value((1, 8, 8, 4), 1 / 32)
    nodes, read = [x], {x.index}
    for _ in range(int(rng.integers(2, 13))):
        # Mostly the newest tensor, so that chains grow.
        source = nodes[-1] if rng.random() < 0.6 else nodes[int(rng.integers(len(nodes)))]
        read.add(source.index)
        like = [node for node in nodes if node.shape == source.shape and node is not source]
        large = min(source.shape[1:3]) >= 4
        choice = int(rng.integers(12))
        if choice == 0 and like:
            other = like[int(rng.integers(len(like)))]
            read.add(other.index)
            nodes.append(net.add(source, other, ("NONE", "RELU")[int(rng.integers(2))]))
        elif choice == 1 and like:
            other = like[int(rng.integers(len(like)))]
            read.add(other.index)
            nodes.append(net.join(source, other))
        elif choice == 2 and large:
            nodes.append(net.pool(source))
        elif choice == 3 and large:
            nodes.append(net.depthwise(net.pad(source), 2, valid=True))
        elif choice == 4 and min(source.shape[1:3]) >= 3:
            nodes.append(net.depthwise(source))
        elif choice in (5, 6):
            op = ("RELU", "RELU6", "TANH", "LOGISTIC")[int(rng.integers(4))]
            nodes.append(net.function(source, op))
        elif choice == 7:
            nodes.append(net.flat(source))
        elif choice == 8 and source.shape[3] % 2 == 0:
            nodes += net.halves(source)
        elif choice == 9 and source.elements <= 1024:
            nodes.append(net.resize(source) if rng.integers(2) else net.up(source, 4))
        else:
            activation = ("NONE", "RELU", "RELU6")[int(rng.integers(3))]
            channels = int(rng.choice([2, 4, 6, source.shape[3]]))
            nodes.append(net.conv(source, channels, int(rng.choice([1, 3])), int(rng.integers(1, 3)), activation))
    outputs = [node for node in nodes[1:] if node.index not in read or rng.random() < 0.15]
    return net.net.build([x.index], [node.index for node in outputs])
