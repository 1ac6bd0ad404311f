"""Networks of plain JAX for the grid: functions of named inputs, with weights from a fixed seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np


class JaxNetwork(NamedTuple):
    """A network: what is special about it, JAX and a generator to a function, and the shapes of its inputs."""

    about: str
    build: Callable[[Any, np.random.Generator], Callable[..., Any]]
    shapes: Mapping[str, tuple[int, ...]]


_IMAGE = {"image": (1, 12, 12, 4)}
_SEQUENCE = {"sequence": (1, 10, 6)}


def _weights(rng: np.random.Generator, *shape: int) -> Any:
    return rng.normal(0, 0.5, shape).astype(np.float32)


def mlp(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    first, second = _weights(rng, 8, 16), _weights(rng, 16, 5)
    return lambda x: jax.nn.softmax(jax.nn.gelu(x @ first) @ second)


def convolution(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    kernel = _weights(rng, 3, 3, 4, 6)
    names = ("NHWC", "HWIO", "NHWC")
    return lambda x: jax.nn.relu(jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=names))


def dilated(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    kernel = _weights(rng, 3, 3, 1, 8)

    def run(x: Any) -> Any:
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", rhs_dilation=(2, 2), feature_group_count=4,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )  # fmt: skip

    return run


def pooling(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    def run(x: Any) -> Any:
        largest = jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return (largest - largest.mean((1, 2), keepdims=True)) / (largest.std((1, 2), keepdims=True) + 1)

    return run


def attention(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    query, key, value = (_weights(rng, 6, 8) for _ in range(3))

    def run(x: Any) -> Any:
        scores = jax.numpy.einsum("bqd,bkd->bqk", x @ query, x @ key) / 8**0.5
        return jax.nn.softmax(scores) @ (x @ value)

    return run


def scan(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    kernel, recurrent = _weights(rng, 6, 8), _weights(rng, 8, 8)

    def run(x: Any) -> Any:
        def step(state: Any, part: Any) -> tuple[Any, Any]:
            state = jax.numpy.tanh(part @ kernel + state @ recurrent)
            return state, state

        return jax.lax.scan(step, jax.numpy.zeros((1, 8), np.float32), x.swapaxes(0, 1))[0]

    return run


def branch(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    kernel = _weights(rng, 8, 4)
    return lambda x: jax.lax.cond(x.sum() > 0, lambda y: (y @ kernel) * 2, lambda y: y @ kernel - 1, x)


def sorting(jax: Any, rng: np.random.Generator) -> Callable[..., Any]:
    return lambda x: jax.lax.top_k(jax.numpy.cumsum(x, axis=1), 3)[0]


NETWORKS: Mapping[str, JaxNetwork] = {
    "mlp": JaxNetwork("dense layers, GELU, softmax", mlp, {"features": (1, 8)}),
    "convolution": JaxNetwork("a convolution of channels last", convolution, _IMAGE),
    "dilated": JaxNetwork("a depthwise convolution with holes", dilated, _IMAGE),
    "pooling": JaxNetwork("windows, a normalization", pooling, _IMAGE),
    "attention": JaxNetwork("attention by einsum", attention, _SEQUENCE),
    "scan": JaxNetwork("a loop by lax.scan", scan, _SEQUENCE),
    "branch": JaxNetwork("a branch on a value", branch, {"features": (1, 8)}),
    "sorting": JaxNetwork("a running sum, the largest of it", sorting, {"features": (1, 8)}),
}
