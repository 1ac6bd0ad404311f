"""Networks of the shapes of published ones, built with Keras, normalized on data and made int8 by edgerig's compiler.

Weights are random, but what decides which kernel takes a layer is not: the averages of batch normalizations are those
of the pictures that the network sees, so that all activations are alive, and every scale is what calibration finds. A
network is built once and kept in edgerig's cache.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig import compilers
from edgerig.cache import StageCache
from edgerig.compilers.quantize import Int8
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.engine.dependencies import of_plugin, surroundings
from edgerig.models.architectures.mobilenetv1 import MobileNetV1
from edgerig.models.architectures.resnet8 import ResNet8
from edgerig.models.files import open_artifact
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.models.keras.files import save_keras

#: Pictures that batch normalizations are averaged over, and that the int8 compiler is given.
AVERAGED, CALIBRATED = 16, 64
CLASSES, SEED = 10, 0
#: Standard deviation of the logarithm of a channel's factor, as training leaves it.
SPREAD = 0.4

#: Height, width and channels of what a network sees.
Image = tuple[int, int, int]


@dataclass(frozen=True)
class Shape:
    """A network: what builds it of its picture and width, and these."""

    build: Callable[[Image, float], Any]
    image: Image
    width: float = 1.0


def keras_network(name: str) -> bytes:
    """The int8 network ``name`` of `SHAPES`, as TFLite: out of the cache, or built."""
    # Of edgerig's own code what makes these networks: the C compiler, which is measured, changes more often.
    code = [Path(__file__), *sorted(Path(compilers.__file__).parent.glob("*.py"))]
    made_in = {**surroundings(), "edgerig": [path.read_text() for path in code]}
    depends = {"compiler": of_plugin(Int8()), "surroundings": made_in}
    cache = StageCache()
    folder, _ = cache.get_or_build(
        cache.key("network of a benchmark", name=name, **depends), lambda folder: _build(name, folder)
    )
    (file,) = folder.glob("*.tflite")
    return file.read_bytes()


def _build(name: str, folder: Path) -> None:
    print(f"{name}: built with Keras and quantized", file=sys.stderr)
    shape, rng = SHAPES[name], np.random.default_rng(SEED)
    pictures = coloured_noise(rng, CALIBRATED, shape.image)
    with seeded(SEED):
        network = shape.build(shape.image, shape.width)
        enliven(network, pictures[:AVERAGED], rng)
        save_keras(network, folder / "net.keras")
    labels = np.arange(CALIBRATED) % 2
    np.savez(folder / "pictures.npz", x_train=pictures, y_train=labels, x_test=pictures[:2], y_test=labels[:2])
    dataset = Npz(NpzSettings(file=str(folder / "pictures.npz"), validation=0.0))
    Int8().compile(open_artifact(folder / "net.keras"), folder, dataset)
    (folder / "pictures.npz").unlink()


def coloured_noise(rng: np.random.Generator, count: int, image: Image) -> NDArray[np.float32]:
    """Pictures whose amplitudes fall with frequency, as those of photographs and spectrograms do, within -1 and 1."""
    height, width, channels = image
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    waves = rng.normal(size=(count, channels, height, width))
    # What channels have in common: the lightness.
    waves = 0.8 * waves[:, :1] + 0.6 * waves
    smooth = np.fft.irfft2(np.fft.rfft2(waves) / frequency, s=(height, width))
    smooth /= smooth.std(axis=(2, 3), keepdims=True)
    lightness = rng.normal(0, 0.3, (count, 1, 1, 1))
    return np.clip(0.45 * smooth + lightness, -1, 1).transpose(0, 2, 3, 1).astype(np.float32)


def enliven(network: Any, pictures: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Give normalizations factors and shifts that lie apart, and the averages of the pictures; filters without one
    factors, too."""
    layers = import_keras().layers
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
            if layer.scale:
                layer.gamma.assign(np.exp(rng.normal(0, SPREAD, layer.gamma.shape)))
            layer.beta.assign(rng.normal(0, 0.5, layer.beta.shape))
        elif isinstance(layer, layers.Conv2D) and layer.use_bias:
            layer.kernel.assign(layer.kernel * np.exp(rng.normal(0, SPREAD, layer.kernel.shape[-1])))
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    network(pictures, training=True)


class Layers:
    """Layers by short calls; every convolution has a batch normalization, but where it is said."""

    def __init__(self, image: Image) -> None:
        self.keras = import_keras()
        self.input = self.keras.Input(image, name="image")

    def finished(self, x: Any) -> Any:
        return self.keras.Model(self.input, x)

    def activated(self, x: Any, activation: str | None) -> Any:
        return self.keras.layers.Activation(activation)(x) if activation else x

    def conv(
        self, x: Any, channels: int, kernel: int = 1, stride: int = 1, activation: str | None = "relu6", *,
        normalized: bool = True,
    ) -> Any:  # fmt: skip
        layers = self.keras.layers
        x = layers.Conv2D(
            channels, kernel, stride, "same", use_bias=not normalized, kernel_initializer="he_normal"
        )(x)  # fmt: skip
        return self.activated(layers.BatchNormalization()(x) if normalized else x, activation)

    def depthwise(self, x: Any, kernel: int, stride: int, activation: str | None) -> Any:
        layers = self.keras.layers
        x = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, depthwise_initializer="he_normal")(x)
        return self.activated(layers.BatchNormalization()(x), activation)

    def separable(self, x: Any, channels: int, stride: int, inner: str | None, outer: str = "relu6") -> Any:
        return self.conv(self.depthwise(x, 3, stride, inner), channels, activation=outer)

    def bottleneck(self, x: Any, factor: int, channels: int, stride: int, kernel: int) -> Any:
        wide = self.conv(x, factor * x.shape[-1]) if factor > 1 else x
        narrow = self.conv(self.depthwise(wide, kernel, stride, "relu6"), channels, activation=None)
        return self.keras.layers.Add()([x, narrow]) if narrow.shape == x.shape else narrow

    def maximum(self, x: Any, window: int, stride: int, padding: str = "same") -> Any:
        return self.keras.layers.MaxPooling2D(window, stride, padding)(x)

    def classes(self, x: Any) -> Any:
        layers = self.keras.layers
        pooled = layers.GlobalAveragePooling2D()(x)
        return self.finished(layers.Dense(CLASSES, "softmax", kernel_initializer="he_normal")(pooled))


def eights(width: float, counts: Sequence[int]) -> list[int]:
    """Scaled, in eights, as MobileNets round them: never more than a tenth below."""
    scaled = [max(8, int(width * count + 4) // 8 * 8) for count in counts]
    return [many + 8 if many < 0.9 * width * count else many for many, count in zip(scaled, counts, strict=True)]


def resnet8(image: Image, width: float) -> Any:
    """edgerig's own, MLPerf Tiny's."""
    return ResNet8().build(CLASSES)


def mobilenet_v1_tiny(image: Image, width: float) -> Any:
    """edgerig's own, MLPerf Tiny's."""
    return MobileNetV1().build(CLASSES)


def mobilenet_v1(image: Image, width: float) -> Any:
    """Keras's own."""
    return import_keras().applications.MobileNet(image, alpha=width, weights=None, classes=CLASSES)


def mobilenet_v2(image: Image, width: float) -> Any:
    """Keras's own."""
    return import_keras().applications.MobileNetV2(image, alpha=width, weights=None, classes=CLASSES)


def fd_mobilenet(image: Image, width: float) -> Any:
    """Qin, Z. et al. (2018), FD-MobileNet; its depthwise convolutions are linear."""
    net = Layers(image)
    counts = eights(width, (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 1024))
    y = net.conv(net.input, counts[0], 3, 2)
    for count, stride in zip(counts[1:], (2, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1), strict=True):
        y = net.separable(y, count, stride, None)
    return net.classes(y)


def large_windows(image: Image, width: float) -> Any:
    """Bottlenecks with windows of 3x3, 5x5 and 7x7, as MCUNet has them (Lin, J. et al., 2020)."""
    net = Layers(image)
    y = net.conv(net.input, eights(width, (32,))[0], 3, 2)
    for kernel, factor, count, stride in (
        *((3, 1, 16, 1), (7, 4, 24, 2), (5, 5, 24, 1), (7, 5, 40, 2), (5, 4, 40, 1)),
        *((5, 5, 80, 2), (7, 4, 80, 1), (5, 5, 96, 1), (7, 5, 160, 2), (3, 4, 160, 1)),
    ):
        y = net.bottleneck(y, factor, eights(width, (count,))[0], stride, kernel)
    return net.classes(y)


def squeezenet(image: Image, width: float) -> Any:
    """Iandola, F. et al. (2016), version 1.1, with poolings of 2x2; normalized, which its first version is not: what
    training does against sums that grow from layer to layer, random weights do not."""
    net = Layers(image)

    def conv(x: Any, channels: int, kernel: int = 1, stride: int = 1) -> Any:
        return net.conv(x, channels, kernel, stride, "relu")

    y = net.maximum(conv(net.input, 64, 3, 2), 2, 2, "valid")
    for index, (squeeze, expand) in enumerate(((16, 64), (32, 128), (48, 192), (64, 256))):
        for _ in range(2):
            narrow = conv(y, squeeze)
            y = net.keras.layers.Concatenate()([conv(narrow, expand), conv(narrow, expand, 3)])
        y = net.maximum(y, 2, 2, "valid") if index < 2 else y
    return net.classes(y)


def yolo_lc(image: Image, width: float) -> Any:
    """STMicroelectronics' Tiny YOLO LC (st_yolo_lc_v1) for one class and five anchors; depthwise ones are linear."""
    net = Layers(image)
    y = net.input
    for count in (16, 32, 64, 128):
        y = net.conv(y, count, 3, 2, "relu")
    for index, count in enumerate((256, 256, 128, 256)):
        y = net.separable(y, count, 1, None, "relu")
        y = net.maximum(y, 2, 1) if index == 1 else y
    return net.finished(net.conv(y, 30, activation=None, normalized=False))


def yamnet_256(image: Image, width: float) -> Any:
    """YAMNet (Plakal, M., Ellis, D., 2019) up to its embedding of 256, as STMicroelectronics has it for boards."""
    net = Layers(image)
    y = net.conv(net.input, 32, 3, 2, "relu")
    for count, stride in zip((64, 128, 128, 256, 256), (1, 2, 1, 2, 1), strict=True):
        y = net.separable(y, count, stride, "relu", "relu")
    return net.classes(y)


def miniresnet_v2(image: Image, width: float) -> Any:
    """STMicroelectronics' MiniResNetV2 of one stack: a ResNet with normalizations before its convolutions."""
    net, count = Layers(image), 64
    layers = net.keras.layers

    def normalized(x: Any) -> Any:
        return net.activated(layers.BatchNormalization()(x), "relu")

    y = net.maximum(net.conv(net.input, count, 7, 2, None, normalized=False), 3, 2)
    for stride in (1, 2):
        before = normalized(y)
        short = net.conv(before, count, activation=None, normalized=False) if stride == 1 else net.maximum(y, 1, 2)
        inner = net.conv(net.conv(before, count, activation="relu"), count, 3, stride, None, normalized=False)
        y = layers.Add()([short, inner])
    return net.classes(normalized(y))


SHAPES = {
    "ResNet-8 32x32": Shape(resnet8, (32, 32, 3)),
    "FD-MobileNet 0.25 128x128": Shape(fd_mobilenet, (128, 128, 3), 0.25),
    "FD-MobileNet 0.375 224x224": Shape(fd_mobilenet, (224, 224, 3), 0.375),
    "MobileNetV1 0.25 224x224": Shape(mobilenet_v1, (224, 224, 3), 0.25),
    "MobileNetV2 0.35 128x128": Shape(mobilenet_v2, (128, 128, 3), 0.35),
    "MobileNetV2 0.35 224x224": Shape(mobilenet_v2, (224, 224, 3), 0.35),
    "MobileNetV1 0.25 96x96": Shape(mobilenet_v1_tiny, (96, 96, 3), 0.25),
    "SqueezeNet 1.1 128x128": Shape(squeezenet, (128, 128, 3)),
    "windows of 5x5 and 7x7 96x96": Shape(large_windows, (96, 96, 3), 0.5),
    "Tiny YOLO LC 192x192": Shape(yolo_lc, (192, 192, 3)),
    "YAMNet 256": Shape(yamnet_256, (64, 96, 1)),
    "MiniResNetV2 audio": Shape(miniresnet_v2, (64, 50, 1)),
}
