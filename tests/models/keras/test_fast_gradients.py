"""The gradients of `fast_gradients` against JAX's own."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.models.keras.engine import import_keras
from edgerig.models.keras.fast_gradients import convolution, depthwise_convolution, fast_gradients, max_pool


@pytest.fixture(scope="module")
def jax():
    """Imported when the first test runs: when tests are collected it would cost each worker a second."""
    import jax

    return jax


def pulled_back(jax, function, arguments, seed=0):
    """A function's result, and its gradients for a random one of the result; compiled as a whole, in one go."""
    shape = jax.eval_shape(function, *arguments).shape
    given = np.random.default_rng(seed).normal(size=shape).astype(np.float32)

    def both(arguments, given):
        result, back = jax.vjp(function, *arguments)
        return result, back(given)

    return jax.jit(both)(arguments, given)


def native_pool(jax, x, height, width):
    window = (1, height, width, 1)
    return jax.lax.reduce_window(x, -np.inf, jax.lax.max, window, window, "VALID")


def native_convolution(jax, x, kernel, strides, padding):
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@pytest.mark.slow
@pytest.mark.parametrize(("h", "w", "height", "width"), [(6, 6, 2, 2), (7, 5, 2, 2), (9, 8, 3, 2), (4, 4, 1, 1)])
@pytest.mark.parametrize("ties", [False, True])
def test_pooling_gradient_is_bit_equal_to_that_of_xla(jax, h, w, height, width, ties):
    rng = np.random.default_rng(0)
    x = (rng.integers(0, 2, (3, h, w, 4)) if ties else rng.normal(size=(3, h, w, 4))).astype(np.float32)
    y, native = pulled_back(jax, lambda x: native_pool(jax, x, height, width), [x])
    ours_y, ours = pulled_back(jax, lambda x: max_pool(x, height, width), [x])
    np.testing.assert_array_equal(ours_y, y)
    np.testing.assert_array_equal(ours[0], native[0])


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1)])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (3, 2)])
def test_convolution_gradients_agree_with_those_of_xla(jax, padding, strides, size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 9, 8, 2)).astype(np.float32)
    kernel = rng.normal(size=(*size, 2, 5)).astype(np.float32)
    y, native = pulled_back(jax, lambda x, k: native_convolution(jax, x, k, strides, padding), [x, kernel])
    ours_y, ours = pulled_back(jax, lambda x, k: convolution(x, k, strides, padding), [x, kernel])
    np.testing.assert_array_equal(ours_y, y)
    for mine, theirs in zip(ours, native, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 1)])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (3, 2)])
def test_depthwise_convolution_agrees_with_that_of_xla(jax, padding, strides, size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 9, 8, 4)).astype(np.float32)
    kernel = rng.normal(size=(*size, 4, 1)).astype(np.float32)

    def native(x, k):
        return jax.lax.conv_general_dilated(
            x,
            k.reshape(*size, 1, 4),
            strides,
            padding,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=4,
        )

    y, expected = pulled_back(jax, native, [x, kernel])
    ours_y, ours = pulled_back(jax, lambda x, k: depthwise_convolution(x, k, strides, padding), [x, kernel])
    np.testing.assert_allclose(ours_y, y, rtol=1e-4, atol=1e-5)
    for mine, theirs in zip(ours, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def make_network(**pooling):
    keras = import_keras()
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(2, **pooling),
            keras.layers.Conv2D(4, 2, dilation_rate=2, padding="same"),
            keras.layers.Conv2D(4, 2, groups=2, padding="same"),
            keras.layers.DepthwiseConv2D(2, activation="relu", bias_initializer="ones"),
            keras.layers.DepthwiseConv2D(2, use_bias=False, padding="same", depth_multiplier=2),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )


def gradients(jax, model, x):
    def total(variables):
        return jax.numpy.sum(model.stateless_call(variables, [], x)[0] ** 2)

    return jax.jit(jax.grad(total))([variable.value for variable in model.trainable_variables])


@pytest.mark.slow
@pytest.mark.parametrize("pooling", [{}, {"strides": 1}, {"padding": "same"}])
def test_whole_network_has_the_same_gradients_whatever_its_layers(jax, pooling):
    model = make_network(**pooling)
    x = np.random.default_rng(0).normal(size=(5, 8, 8, 2)).astype(np.float32)
    expected = gradients(jax, model, x)
    with fast_gradients(model):
        actual = gradients(jax, model, x)
    for mine, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_layers_are_replaced_inside_the_block_and_as_before_after_an_error_in_it():
    model = make_network()
    before = [set(vars(layer)) for layer in model.layers]

    def fail():
        with fast_gradients(model):
            assert "convolution_op" in vars(model.layers[0])
            assert "call" in vars(model.layers[1])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [set(vars(layer)) for layer in model.layers] == before
