"""Dense layers round as LiteRT does: the exact product once, halves away from zero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.micro import Options, compile_model
from edgerig.micro.arithmetic.dense_scale import dense_multiplier
from edgerig.micro.arithmetic.requantize import quantize_multiplier, scale_once
from edgerig.testing.networks.generated import load_all
from edgerig.testing.networks.reference_runs import Oracle
from edgerig.testing.networks.tflite_builder import TfliteBuilder

#: Scales of outputs for sums of scale 1, which then often lie on a half; one has no exact multiplier, one no halves.
SCALES = (2.0, 4.0, 64.0, 12.0, 3.0, 0.75)
UNITS = 1800


def dense_of_biases(dtype: str, scale: float) -> bytes:
    """A dense layer whose sums are the integers around 0 if its inputs are at their zero point."""
    net, zero = TfliteBuilder(), {"int8": 5, "uint8": 133, "int16": 0}[dtype]
    biases = np.arange(UNITS) - UNITS // 2
    weights, bias = ("uint8", "int32") if dtype == "uint8" else ("int8", "int64" if dtype == "int16" else "int32")
    x = net.tensor("x", (1, 3), dtype, scale=1.0, zero_point=zero)
    w = net.tensor("w", (UNITS, 3), weights, np.ones((UNITS, 3)), scale=1.0, zero_point=0)
    b = net.tensor("b", (UNITS,), bias, biases, scale=1.0)
    y = net.tensor("y", (1, UNITS), dtype, scale=scale, zero_point=zero)
    net.operator("FULLY_CONNECTED", [x, w, b], [y], "FullyConnectedOptions")
    return net.build([x], [y])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_dense_layers_with_sums_on_halves_are_litert_s(dtype: str, tmp_path: Path) -> None:
    files = {f"net{number}": dense_of_biases(dtype, scale) for number, scale in enumerate(SCALES)}
    networks = load_all([compile_model(data, name, Options()) for name, data in files.items()], tmp_path, ("-O1",))
    for data, network in zip(files.values(), networks, strict=True):
        oracle, zero = Oracle(data), network.manifest.inputs[0]
        for offset in (0, 1, -2):
            sample = np.full(zero.shape, {"int8": 5, "uint8": 133, "int16": 0}[dtype] + offset, dtype)
            np.testing.assert_array_equal(network.run([sample])[0], oracle.run([sample])[0])


@given(st.integers(-14, 3), st.sampled_from([1, 3, 5, 7, 12, 0.75]))
def test_every_sum_goes_to_the_nearest_level_and_halves_away_from_zero(power: int, divisor: float) -> None:
    real = 2.0**power / divisor
    multiplier, exponent = dense_multiplier(real, quantize_multiplier(real), 255)
    assert 1 << 30 <= multiplier < 1 << 31
    halves = np.round((np.arange(255) + 0.5) / real).astype(np.int64)
    sums = np.concatenate([halves - 1, halves, halves + 1])
    sums = np.concatenate([sums, -sums])
    exact = np.trunc(sums * real + np.copysign(0.5, sums * real))
    np.testing.assert_array_equal(scale_once(sums, multiplier, exponent), exact)


def test_a_multiplier_that_is_exact_stays_and_where_none_is_the_nearest_does() -> None:
    for real in (0.3, 0.0123, 1.7, 1e-9):
        assert dense_multiplier(real, quantize_multiplier(real), 255) == quantize_multiplier(real)
    assert dense_multiplier(0.0, (0, 0), 255) == (0, 0)
    assert dense_multiplier(1.0, quantize_multiplier(1.0), 255) == quantize_multiplier(1.0)
