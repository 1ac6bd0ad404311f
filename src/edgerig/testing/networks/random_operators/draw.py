"""Random choices for one operator, and the network that is built from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edgerig.micro.ir import RECORDS
from edgerig.testing.networks.tflite_builder import TfliteBuilder

ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
SAME, VALID = 0, 1


class Draw:
    """Random choices for the operator ``op``, of type ``int8``, ``int16`` or ``float32``."""

    def __init__(self, op: str, seed: int, dtype: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.op, self.dtype = op, dtype
        self.net = TfliteBuilder()
        #: Type of the bias of int16 layers.
        self.wide_bias = "int64"

    @property
    def quantized(self) -> bool:
        return self.dtype != "float32"

    def whole(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def scale(self, low: float = 0.002, high: float = 0.5) -> float:
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def zero(self) -> int:
        if self.dtype == "int16":
            return 0
        return int(self.rng.choice([-128, -7, 0, 12, 127, self.whole(-128, 127)]))

    def quantization(self) -> tuple[float, int]:
        """Scale and zero point."""
        return self.scale(), self.zero()

    def activation(self) -> int:
        return int(self.rng.choice(list(ACTIVATIONS.values()), p=[0.4, 0.3, 0.1, 0.2]))

    def clamping(self) -> dict[str, int]:
        """The option of a fused activation, for an operator that has it."""
        has_it = self.net.has_option(RECORDS[self.op].options, "fusedActivationFunction")
        return {"fusedActivationFunction": self.activation()} if has_it else {}

    def input(self, shape: tuple[int, ...], name: str = "x", like: tuple[float, int] | None = None) -> int:
        """An activation; ``like`` fixes scale and zero point."""
        if not self.quantized:
            return self.net.tensor(name, shape, self.dtype)
        scale, zero = like or self.quantization()
        return self.net.tensor(name, shape, self.dtype, scale=scale, zero_point=zero)

    def constant(self, name: str, data: Any, like: tuple[float, int]) -> int:
        """A constant activation."""
        scale = like[0] if self.quantized else None
        return self.net.tensor(name, data.shape, self.dtype, data, scale, like[1])

    def content(self, shape: tuple[int, ...]) -> Any:
        """Content of a constant activation."""
        if self.dtype == "int16":
            return self.rng.integers(-32768, 32768, shape)
        return self.rng.integers(-128, 128, shape) if self.quantized else self.rng.normal(size=shape)

    def indices(self, name: str, values: Any, shape: tuple[int, ...] | None = None) -> int:
        """A constant of int32, such as axes, sizes or a shape."""
        data = np.array(values, np.int32)
        return self.net.tensor(name, data.shape if shape is None else shape, "int32", data)

    def image(self, most: int = 9, channels: int = 9) -> tuple[int, ...]:
        return 1, self.whole(1, most), self.whole(1, most), self.whole(1, channels)

    def weights(self, shape: tuple[int, ...], axis: int) -> tuple[int, list[float]]:
        """Weights with a scale for each channel or for all; index and the scales of all channels."""
        if not self.quantized:
            return self.net.tensor("w", shape, "float32", self.rng.normal(size=shape).astype(np.float32)), []
        each = bool(self.rng.integers(2))
        scales = [self.scale(0.0005, 0.05) for _ in range(shape[axis] if each else 1)]
        data = self.rng.integers(-127, 128, shape)
        index = self.net.tensor("w", shape, "int8", data, scale=scales, axis=axis if each else 0)
        return index, scales if each else scales * shape[axis]

    def bias(self, channels: int, scales: list[float]) -> int:
        if not self.quantized:
            return self.net.tensor("b", (channels,), "float32", self.rng.normal(size=channels).astype(np.float32))
        if self.dtype == "int16":
            data, kind = self.rng.integers(-700_000, 700_000, channels), self.wide_bias
        else:
            data, kind = self.rng.integers(-3000, 3000, channels), "int32"
        several = len(set(scales)) > 1
        return self.net.tensor("b", (channels,), kind, data, scale=scales if several else scales[:1])

    def output_scale(self, source: float, scales: list[float], count: int) -> float:
        """A scale that suits the range of the results, or does not; 0 for float32."""
        if not self.quantized:
            return 0.0
        typical = 70 * 60 * np.sqrt(count) * source * float(np.median(scales)) / 100
        return float(typical * self.rng.choice([0.3, 1, 1, 3]))

    def operator(self, inputs: list[int], outputs: list[int], **options: Any) -> None:
        """The operator itself, with the options table that its record names."""
        if self.dtype == "int16" and self.op in ("ADD", "SUB"):
            options["potScaleInt16"] = bool(self.whole(0, 1))
        if self.wide_bias == "int32" and self.op in ("CONV_2D", "FULLY_CONNECTED"):
            options["quantizedBiasType"] = 2
        self.net.operator(self.op, inputs, outputs, RECORDS[self.op].options or None, **options)

    def build(self, inputs: list[int], outputs: list[int]) -> bytes:
        return self.net.build(inputs, outputs)


#: Generates a network of one operator, that of the draw.
Generator = Callable[[Draw], bytes]


def windows(
    draw: Draw, shape: tuple[int, ...], dilated: bool
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int]:
    """Kernel, stride, dilation, padding that fit an image."""
    while True:
        kernel = draw.whole(1, 5), draw.whole(1, 5)
        dilation = (draw.whole(1, 3), draw.whole(1, 3)) if dilated and draw.whole(0, 2) == 0 else (1, 1)
        stride = (draw.whole(1, 3), draw.whole(1, 3)) if dilation == (1, 1) else (1, 1)
        padding = draw.whole(SAME, VALID)
        reach = [(kernel[i] - 1) * dilation[i] + 1 for i in (0, 1)]
        if padding == SAME or all(shape[1 + i] >= reach[i] for i in (0, 1)):
            return kernel, stride, dilation, padding


def window_count(size: int, kernel: int, stride: int, dilation: int, padding: int) -> int:
    """Number of windows along an axis."""
    return -(-size // stride) if padding == SAME else -(-(size - (kernel - 1) * dilation) // stride)
