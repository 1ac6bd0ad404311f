"""Convolutions and poolings with gradients that are fast on a CPU.

XLA's CPU backend computes the gradient of max pooling by select-and-scatter, that of a kernel by a convolution with a
huge window, and depthwise convolutions channel by channel; all are slow. Measured on two cores with batches of 64:
26 x 26 x 32 pooling 20.7 ms against 0.6 ms here; the kernel of the digit network's second convolution 8.4 ms against
2.5 ms; a depthwise convolution of 48 x 48 x 16 64 ms against 1.4 ms. The results are the same up to the order of
additions.

They are written with `jax.lax`: ``jax.numpy`` takes three times as long to trace.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


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
        (dx,) = jax.linear_transpose(lambda x: forward(x, kernel), x)(g)
        patches = jnp.concatenate(_taps(x, (kh, kw), strides, pads), axis=-1).reshape(-1, kh * kw * ci)
        return dx, (patches.T @ g.reshape(-1, co)).reshape(kernel.shape)

    convolve = jax.custom_vjp(forward)
    convolve.defvjp(lambda x, kernel: (forward(x, kernel), (x, kernel)), backward)
    return convolve(x, kernel)


def depthwise_convolution(x: Any, kernel: Any, strides: tuple[int, int], padding: str) -> Any:
    """Depthwise 2-D convolution, (n, h, w, c) with a kernel (kh, kw, c, 1): a sum of shifted products.

    So are its gradients. Those of the kernel are summed in one pass over the images, each image by itself at first.
    """
    import jax
    from jax import lax

    n, h, w, c = x.shape
    kh, kw = kernel.shape[:2]
    pads = lax.padtype_to_pads((h, w), (kh, kw), strides, padding)
    wide = _pads_of_gradient((h, w), (kh, kw), strides, pads)

    def forward(x: Any, kernel: Any) -> Any:
        return _weighted(_taps(x, (kh, kw), strides, pads), _rows(kernel))

    def backward(saved: tuple[Any, Any], g: Any) -> tuple[Any, Any]:
        x, kernel = saved
        dx = _weighted(_taps(g, (kh, kw), (1, 1), wide), _rows(kernel)[::-1])
        products = [lax.mul(tap, g) for tap in _taps(x, (kh, kw), strides, pads)]
        zeros = [np.zeros((), g.dtype)] * len(products)
        of_images = lax.reduce(products, zeros, lambda sums, values: [*map(lax.add, sums, values)], (1, 2))
        rows = lax.concatenate([lax.reshape(weights, (n, 1, c)) for weights in of_images], 1)
        return dx, lax.reshape(lax.reduce(rows, zeros[0], lax.add, (0,)), kernel.shape)

    convolve = jax.custom_vjp(forward)
    convolve.defvjp(lambda x, kernel: (forward(x, kernel), (x, kernel)), backward)
    return convolve(x, kernel)


def _pads_of_gradient(
    shape: tuple[int, int], size: tuple[int, int], strides: tuple[int, int], pads: Any
) -> list[tuple[int, int, int]]:
    """How to pad, and to spread by strides, an output's gradient, so that its taps are those of each input."""
    wide = []
    for n, k, stride, (low, high) in zip(shape, size, strides, pads, strict=True):
        spread = (n + low + high - k) // stride * stride + 1
        wide.append((k - 1 - low, n + low - spread, stride - 1))
    return wide


def _rows(kernel: Any) -> list[Any]:
    """The weights (c,) of each position in a depthwise kernel, row by row."""
    from jax import lax

    kh, kw, c, _ = kernel.shape
    flat = lax.reshape(kernel, (kh * kw, c))
    return [lax.squeeze(lax.slice(flat, (i, 0), (i + 1, c)), (0,)) for i in range(kh * kw)]


def _weighted(taps: list[Any], weights: list[Any]) -> Any:
    """The sum of taps (n, h, w, c), each times weights (c,)."""
    from jax import lax

    parts = [lax.mul(tap, lax.broadcast_in_dim(row, tap.shape, (3,))) for tap, row in zip(taps, weights, strict=True)]
    return functools.reduce(lax.add, parts)


def _taps(x: Any, size: tuple[int, int], strides: tuple[int, int], pads: Any) -> list[Any]:
    """For each position in the kernel, row by row, the inputs (n, oh, ow, c) that it is multiplied with.

    ``pads`` are zeros before, after and, where a third number stands, between the inputs.
    """
    from jax import lax

    wide = [(*zeros, 0)[:3] for zeros in pads]
    x = lax.pad(x, np.zeros((), x.dtype), ((0, 0, 0), *wide, (0, 0, 0)))
    (n, h, w, c), (kh, kw), (sh, sw) = x.shape, size, strides
    rows, columns = (h - kh) // sh * sh + 1, (w - kw) // sw * sw + 1
    steps = (1, sh, sw, 1)
    return [lax.slice(x, (0, i, j, 0), (n, i + rows, j + columns, c), steps) for i, j in np.ndindex(kh, kw)]
