"""Convolutions and poolings with gradients that are fast on a CPU.

XLA's CPU backend computes the gradient of max pooling by select-and-scatter, that of a kernel by a convolution with a
huge window, and depthwise convolutions channel by channel; all are slow. Measured on two cores with batches of 64:
26 x 26 x 32 pooling 20.7 ms against 0.6 ms here; the kernel of the digit network's second convolution 8.4 ms against
2.5 ms; a depthwise convolution of 48 x 48 x 16 64 ms against 1.4 ms. The results are the same up to the order of
additions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def fast_gradients(model: Any) -> Iterator[None]:
    """While the block runs, calls of ``model`` trace to the gradients of this module; a no-op on GPUs.

    Args:
        model: A Keras model. Its layers are restored after the block.
    """
    import jax

    changed: list[tuple[Any, str]] = []
    try:
        if jax.default_backend() == "cpu":
            for layer in model._flatten_layers(include_self=False):
                for attribute, function in _replacements(layer):
                    # Set in the instance's dictionary, because Keras tracks ordinary assignments to layers.
                    vars(layer)[attribute] = function
                    changed.append((layer, attribute))
        yield
    finally:
        for layer, attribute in changed:
            del vars(layer)[attribute]


def _replacements(layer: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    import keras

    if getattr(layer, "data_format", None) != "channels_last":
        return
    # Exact types: a subclass may define these methods differently.
    if type(layer) is keras.layers.MaxPooling2D:
        height, width = layer.pool_size
        if layer.padding == "valid" and tuple(layer.strides) == (height, width):
            yield "call", lambda inputs: max_pool(inputs, height, width)
    elif type(layer) is keras.layers.Conv2D and layer.groups == 1 and set(layer.dilation_rate) == {1}:
        strides, padding = tuple(layer.strides), layer.padding.upper()
        tensor = keras.ops.convert_to_tensor
        yield "convolution_op", lambda inputs, kernel: convolution(inputs, tensor(kernel), strides, padding)
    elif (
        type(layer) is keras.layers.DepthwiseConv2D and layer.depth_multiplier == 1 and set(layer.dilation_rate) == {1}
    ):
        yield "call", _depthwise_call(layer)


def _depthwise_call(layer: Any) -> Callable[..., Any]:
    import keras

    strides, padding = tuple(layer.strides), layer.padding.upper()

    def call(inputs: Any) -> Any:
        outputs = depthwise_convolution(inputs, keras.ops.convert_to_tensor(layer.kernel), strides, padding)
        if layer.use_bias:
            outputs = outputs + keras.ops.convert_to_tensor(layer.bias)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call


def max_pool(x: Any, height: int, width: int) -> Any:
    """Max pooling with windows that do not overlap, (n, h, w, c) to (n, h // height, w // width, c).

    The gradient goes to the first maximum of a window, in row-major order, as XLA's does.
    """
    import jax
    import jax.numpy as jnp

    n, h, w, c = x.shape
    rows, columns = h // height, w // width

    def forward(x: Any) -> Any:
        window = (1, height, width, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")

    def forward_with_winner(x: Any) -> tuple[Any, Any]:
        y = forward(x)
        winner = jnp.full(y.shape, height * width - 1, jnp.int8 if height * width <= 127 else jnp.int32)
        for position in reversed(range(height * width - 1)):
            i, j = divmod(position, width)
            value = x[:, i : rows * height : height, j : columns * width : width]
            winner = jnp.where(value == y, jnp.asarray(position, winner.dtype), winner)
        return y, winner

    def backward(winner: Any, g: Any) -> tuple[Any]:
        places = jnp.arange(height * width, dtype=winner.dtype).reshape(1, 1, height, 1, width, 1)
        dx = jnp.where(winner[:, :, None, :, None] == places, g[:, :, None, :, None], 0)
        dx = dx.reshape(n, rows * height, columns * width, c)
        return (jnp.pad(dx, ((0, 0), (0, h - rows * height), (0, w - columns * width), (0, 0))),)

    pool = jax.custom_vjp(forward)
    pool.defvjp(forward_with_winner, backward)
    return pool(x)


def convolution(x: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any:
    """2-D convolution, (n, h, w, ci) with a kernel (kh, kw, ci, co); the kernel's gradient is one matrix product.

    That product is patches (n * oh * ow, kh * kw * ci), transposed, times the output's gradient
    (n * oh * ow, co): "im2col" (Chellapilla, Puri and Simard, 2006).
    """
    import jax
    import jax.numpy as jnp

    kh, kw, ci, co = kernel.shape
    pads = jax.lax.padtype_to_pads(x.shape[1:3], (kh, kw), strides, padding)

    def forward(x: Any, kernel: Any) -> Any:
        return jax.lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def backward(saved: tuple[Any, Any], g: Any) -> tuple[Any, Any]:
        x, kernel = saved
        (dx,) = jax.vjp(lambda x: forward(x, kernel), x)[1](g)
        patches = jnp.concatenate(_taps(x, (kh, kw), strides, pads), axis=-1).reshape(-1, kh * kw * ci)
        return dx, (patches.T @ g.reshape(-1, co)).reshape(kernel.shape)

    convolve = jax.custom_vjp(forward)
    convolve.defvjp(lambda x, kernel: (forward(x, kernel), (x, kernel)), backward)
    return convolve(x, kernel)


def depthwise_convolution(x: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any:
    """Depthwise 2-D convolution, (n, h, w, c) with a kernel (kh, kw, c, 1): a sum of shifted products."""
    import jax

    kh, kw = kernel.shape[:2]
    pads = jax.lax.padtype_to_pads(x.shape[1:3], (kh, kw), strides, padding)
    weights = kernel.reshape(kh * kw, -1)
    return sum(tap * weight for tap, weight in zip(_taps(x, (kh, kw), strides, pads), weights, strict=True))


def _taps(x: Any, size: tuple[int, int], strides: tuple[int, int], pads: Any) -> list[Any]:
    """For each position in the kernel, row by row, the inputs (n, oh, ow, c) that it is multiplied with."""
    import jax.numpy as jnp

    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    (kh, kw), (sh, sw) = size, strides
    rows, columns = (x.shape[1] - kh) // sh * sh + 1, (x.shape[2] - kw) // sw * sw + 1
    return [x[:, i : i + rows : sh, j : j + columns : sw] for i in range(kh) for j in range(kw)]
