"""A served network's numbers are converted as everywhere else, bit for bit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgerig.artifact import Quantization, TensorSpec
from edgerig.datasets.preprocess import dequantize, quantize_input
from edgerig.errors import DatasetError
from edgerig.serve.conversions import FEW, dequantizer, quantizer

DTYPES = st.sampled_from(["int8", "uint8", "int16", "int32"])
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 9))


@st.composite
def specs(draw: Any) -> TensorSpec:
    """Tensors with one scale, of integers, of whatever scale and zero point."""
    dtype = draw(DTYPES)
    limits = np.iinfo(dtype)
    scale = draw(st.floats(1e-30, 1e30, allow_subnormal=False))
    return TensorSpec("x", (1, 9), dtype, Quantization((scale,), (draw(st.integers(limits.min, limits.max)),)))


def halves(spec: TensorSpec, count: int) -> Any:
    """Numbers on, and next to, the borders between integers of a tensor."""
    assert spec.quantization is not None
    border = (np.arange(-count, count, dtype=np.float32) + np.float32(0.5)) * np.float32(spec.quantization.scale)
    return np.stack([border, np.nextafter(border, np.float32(-np.inf)), np.nextafter(border, np.float32(np.inf))])


@given(specs(), arrays.arrays(np.float32, SHAPES, elements=st.floats(width=32, allow_nan=False)))
def test_real_numbers_become_the_same_integers(spec: TensorSpec, x: Any) -> None:
    expected = quantize_input(x, spec)
    result = quantizer(spec)(x)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(
    ("dtype", "zero_point"), [("int8", -128), ("int8", 127), ("int8", 3), ("uint8", 0), ("uint8", 255)]
)
def test_halves_are_rounded_away_from_zero(dtype: str, zero_point: int) -> None:
    spec = TensorSpec("x", (1, 9), dtype, Quantization((0.25,), (zero_point,)))
    x = halves(spec, 300)
    np.testing.assert_array_equal(quantizer(spec)(x), quantize_input(x, spec))
    assert quantizer(spec)(np.array([[0.125]], np.float32)) == min(zero_point + 1, np.iinfo(dtype).max)


@given(DTYPES, arrays.arrays(st.sampled_from([np.int8, np.uint8, np.bool_, np.float64, np.int64]), SHAPES))
def test_other_numbers_than_float32_as_well(dtype: str, x: Any) -> None:
    spec = TensorSpec("x", (1, 9), dtype, Quantization((0.5,), (1,)))
    if x.dtype.kind == "f" and np.isnan(x).any():
        with pytest.raises(DatasetError, match="NaN"):
            quantizer(spec)(x)
        return
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(quantizer(spec)(x), quantize_input(x, spec))


@pytest.mark.parametrize("size", [9, FEW + 1])
def test_what_is_no_number_is_refused_wherever_it_stands(size: int) -> None:
    spec = TensorSpec("x", (1, size), "int8", Quantization((0.5,), (1,)))
    for place in (0, size // 2, size - 1):
        x = np.ones((1, size), np.float32)
        x[0, place] = np.nan
        with pytest.raises(DatasetError, match="NaN"):
            quantizer(spec)(x)
        x[0, place] = -np.inf
        assert quantizer(spec)(x)[0, place] == -128


def test_rows_out_of_the_middle_of_bytes_and_of_other_orders() -> None:
    spec = TensorSpec("x", (1, 4), "int8", Quantization((0.5,), (1,)))
    numbers = np.linspace(-9, 9, 12, dtype=np.float32)
    unaligned = np.frombuffer(b"\0" + numbers.tobytes(), np.float32, 12, 1).reshape(3, 4)
    np.testing.assert_array_equal(quantizer(spec)(unaligned), quantize_input(numbers.reshape(3, 4), spec))
    turned = numbers.reshape(4, 3).T
    np.testing.assert_array_equal(quantizer(spec)(turned), quantize_input(turned, spec))


@given(specs())
def test_integers_become_the_same_real_numbers(spec: TensorSpec) -> None:
    limits = np.iinfo(spec.dtype)
    y = np.linspace(limits.min, limits.max, 300).astype(spec.dtype).reshape(3, 100)
    with np.errstate(over="ignore"):
        expected, result = dequantize(y, spec), dequantizer(spec)(y)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


def test_tensors_of_several_scales_and_of_none_as_well() -> None:
    channels = TensorSpec("y", (1, 3), "int8", Quantization((0.5, 1.0, 2.0), (0, 1, 2), 1))
    plain, real = TensorSpec("y", (1, 3), "int8"), TensorSpec("y", (1, 3), "float32")
    y = np.array([[1, 2, 3], [-4, 5, 6]], np.int8)
    for spec in (channels, plain):
        np.testing.assert_array_equal(dequantizer(spec)(y), dequantize(y, spec))
        x = y.astype(np.float32) / 3
        np.testing.assert_array_equal(quantizer(spec)(x), quantize_input(x, spec))
    x = np.array([[0.1, 0.2, 0.3]], np.float32)
    assert quantizer(real)(x) is x
    assert dequantizer(real)(x) is x


@pytest.mark.parametrize("count", [1, 2, 10, 11, 64])
@pytest.mark.parametrize("zero_point", [-128, 5])
@pytest.mark.parametrize("apart", [False, True])
def test_batches_are_quantized_in_steps_also_where_their_rows_lie_apart(
    count: int, zero_point: int, apart: bool
) -> None:
    spec = TensorSpec("x", (1, 28, 28, 1), "int8", Quantization((0.01,), (zero_point,)))
    rows = np.random.default_rng(count).normal(0, 2, (count, 795)).astype(np.float32)
    x = (rows[:, 11:] if apart else rows[:, 11:].copy()).reshape(count, 28, 28, 1)
    np.testing.assert_array_equal(quantizer(spec)(x), quantize_input(x, spec))
    x[-1, -1, -1, 0] = np.inf
    np.testing.assert_array_equal(quantizer(spec)(x), quantize_input(x, spec))
    x[-1, -1, -1, 0] = np.nan
    with pytest.raises(DatasetError, match="NaN"):
        quantizer(spec)(x)


@pytest.mark.parametrize("shape", [(2, 3 * FEW), (1, FEW + 1), (3, 0)])
def test_rows_of_any_length(shape: tuple[int, int]) -> None:
    spec = TensorSpec("x", (1, 9), "uint8", Quantization((0.01,), (7,)))
    x = np.random.default_rng(1).normal(0, 2, (shape[0], shape[1] + 1)).astype(np.float32)[:, 1:]
    for rows in (x, x.copy()):
        np.testing.assert_array_equal(quantizer(spec)(rows), quantize_input(rows, spec))
