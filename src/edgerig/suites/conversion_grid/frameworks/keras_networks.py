"""Networks of Keras for the grid: one for each way in which layers are known to break."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Layers = Any


def _image(layers: Layers) -> Any:
    return layers.Input((16, 16, 4), name="image")


def _sequence(layers: Layers) -> Any:
    return layers.Input((10, 6), name="sequence")


def mlp(k: Layers) -> tuple[Any, Any]:
    x = k.Input((12,), name="features")
    return x, k.Dense(5, activation="softmax")(k.Dense(16, activation="gelu")(x))


def cnn(k: Layers) -> tuple[Any, Any]:
    x = _image(k)
    y = k.MaxPooling2D()(k.ReLU()(k.BatchNormalization()(k.Conv2D(8, 3, padding="same")(x))))
    return x, k.Dense(5)(k.GlobalAveragePooling2D()(k.Conv2D(8, 3, strides=2, activation="relu6")(y)))


def depthwise(k: Layers) -> tuple[Any, Any]:
    x = _image(k)
    y = k.Conv2D(6, 1)(k.DepthwiseConv2D(5, padding="same", depth_multiplier=2)(x))
    return x, k.Add()([y, k.SeparableConv2D(6, 3, padding="same")(x)])


def dilated(k: Layers) -> tuple[Any, Any]:
    x = _image(k)
    return x, k.Conv2D(5, 3, dilation_rate=3, padding="same", activation="tanh")(x)


def grouped(k: Layers) -> tuple[Any, Any]:
    x = _image(k)
    return x, k.Conv2D(6, 3, groups=2, padding="valid")(x)


def transposed(k: Layers) -> tuple[Any, Any]:
    x = _image(k)
    return x, k.Conv2DTranspose(5, 3, strides=2, padding="same")(k.Conv2D(4, 3, strides=2, padding="same")(x))


def unet(k: Layers) -> tuple[Any, Any]:
    x = _image(k)
    skip = k.Conv2D(6, 3, padding="same", activation="relu")(x)
    low = k.Conv2D(8, 3, padding="same", activation="relu")(k.AveragePooling2D(2)(skip))
    return x, k.Conv2D(3, 1)(k.Concatenate()([skip, k.UpSampling2D(interpolation="bilinear")(low)]))


def lstm(k: Layers) -> tuple[Any, Any]:
    x = _sequence(k)
    return x, k.Dense(3)(k.LSTM(8)(x))


def gru(k: Layers) -> tuple[Any, Any]:
    x = _sequence(k)
    return x, k.Dense(3)(k.GRU(8, return_sequences=True)(x))


def temporal(k: Layers) -> tuple[Any, Any]:
    x = _sequence(k)
    return x, k.Conv1D(4, 3, dilation_rate=2, padding="causal")(k.Conv1D(6, 3, padding="same")(x))


def attention(k: Layers) -> tuple[Any, Any]:
    x = _sequence(k)
    y = k.LayerNormalization()(k.Add()([x, k.MultiHeadAttention(2, 4)(x, x)]))
    return x, k.Dense(3)(k.Flatten()(y))


def two_inputs(k: Layers) -> tuple[Any, Any]:
    x, z = k.Input((8,), name="left"), k.Input((8,), name="right")
    both = k.Multiply()([k.Dense(6)(x), k.Dense(6, activation="sigmoid")(z)])
    return [x, z], [k.Dense(2)(both), k.Softmax()(both)]


#: Name to what is special about it, and how it is made: layers to inputs and outputs.
NETWORKS: Mapping[str, tuple[str, Callable[[Layers], tuple[Any, Any]]]] = {
    "mlp": ("dense layers, GELU, softmax", mlp),
    "cnn": ("convolutions, batch normalization, pooling", cnn),
    "depthwise": ("depthwise with a multiplier, separable, a sum", depthwise),
    "dilated": ("a convolution with holes", dilated),
    "grouped": ("a convolution in groups", grouped),
    "transposed": ("a transposed convolution", transposed),
    "unet": ("concatenation, bilinear growth", unet),
    "lstm": ("a loop with a state", lstm),
    "gru": ("a loop with a state, all steps", gru),
    "temporal": ("causal convolutions of sequences", temporal),
    "attention": ("attention of several heads, layer normalization", attention),
    "two-inputs": ("two inputs, two outputs", two_inputs),
}
