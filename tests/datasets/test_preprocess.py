from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edgerig.artifact import Preprocessing, Quantization, TensorSpec
from edgerig.datasets.preprocess import apply, dequantize, quantize_input, resize
from edgerig.errors import DatasetError, IncompatibleError


def tensor(dtype: str, scale: float | None, zero_point: int = 0) -> TensorSpec:
    quantization = None if scale is None else Quantization((scale,), (zero_point,))
    return TensorSpec("x", (1, 4), dtype, quantization)


# ---- apply


def test_scale_mean_and_std_are_applied_per_channel_in_float32() -> None:
    raw = np.array([[[[0, 51, 255]]]], np.uint8)
    x = apply(raw, Preprocessing(scale=1 / 255, mean=(0.0, 0.1, 0.5), std=(1.0, 0.5, 0.25)))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, [[[[0.0, 0.2, 2.0]]]], rtol=1e-6)


def test_raw_samples_are_left_as_they_are() -> None:
    raw = np.ones((2, 3), np.float32)
    assert apply(raw, Preprocessing(scale=2.0)).max() == 2.0
    assert raw.max() == 1.0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "bool"])
def test_every_raw_dtype_becomes_float32(dtype: str) -> None:
    assert apply(np.ones((2, 5), dtype), Preprocessing()).dtype == np.float32


def test_images_of_different_size_need_resizing() -> None:
    images = [np.zeros((4, 5, 3), np.uint8), np.zeros((6, 5, 3), np.uint8)]
    with pytest.raises(DatasetError, match="resize"):
        apply(images, Preprocessing())
    assert apply(images, Preprocessing(resize=(2, 3))).shape == (2, 2, 3, 3)


def test_what_is_no_image_cannot_be_resized() -> None:
    with pytest.raises(DatasetError, match="no images"):
        apply(np.zeros((2, 5), np.float32), Preprocessing(resize=(2, 2)))


def test_a_mean_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="2 numbers, the samples have 3 channels"):
        apply(np.zeros((1, 4, 4, 3), np.uint8), Preprocessing(mean=(1.0, 2.0)))


def test_a_std_of_zero_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="std of 0"):
        apply(np.zeros((1, 4, 4, 3), np.uint8), Preprocessing(std=(1.0, 0.0, 1.0)))


def test_no_samples_give_no_inputs() -> None:
    assert apply(np.zeros((0, 28, 28, 1), np.uint8), Preprocessing(scale=2.0)).shape == (0, 28, 28, 1)


# ---- resize


@pytest.mark.parametrize(
    ("old", "new"), [((20, 31), (8, 8)), ((8, 8), (21, 13)), ((7, 40), (14, 10)), ((5, 5), (5, 5))]
)
def test_resizing_equals_pillow_on_float_images(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((*old, 2)).astype(np.float32) * 255
    ours = resize(image, new)
    for channel in range(2):
        theirs = Image.fromarray(image[..., channel]).resize((new[1], new[0]), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(ours[..., channel], np.asarray(theirs), atol=2e-4)


def test_a_constant_image_stays_constant() -> None:
    np.testing.assert_allclose(resize(np.full((13, 29, 3), 77, np.uint8), (50, 4)), 77, rtol=1e-6)


# ---- quantize and dequantize


def reference_quantize(value: float, scale: float, zero_point: int, low: int, high: int) -> int:
    """TFLite's AffineQuantize written out: C's std::round of a float32 quotient."""
    quotient = float(np.float32(value) / np.float32(scale))
    rounded = math.floor(abs(quotient) + 0.5) if abs(quotient) < 2**52 else int(abs(quotient))
    return min(max(int(math.copysign(rounded, quotient)) + zero_point, low), high)


@given(
    hnp.arrays(np.float32, (4,), elements=st.floats(-1000, 1000, width=32)),
    st.floats(2**-10, 4, width=32),
    st.sampled_from(["int8", "uint8", "int16"]),
    st.integers(-128, 127),
)
def test_quantizing_equals_the_tflite_reference(x: np.ndarray, scale: float, dtype: str, zero_point: int) -> None:
    limits = np.iinfo(dtype)
    q = quantize_input(x, tensor(dtype, scale, zero_point))
    assert q.dtype == dtype
    assert q.tolist() == [reference_quantize(float(v), scale, zero_point, limits.min, limits.max) for v in x]


def test_halves_are_rounded_away_from_zero_and_values_clamped() -> None:
    x = np.array([-2.5, -0.5, 0.5, 1.5, 0.49999997, np.inf, -np.inf, 1e30], np.float32)
    assert quantize_input(x, tensor("int8", 1.0)).tolist() == [-3, -1, 1, 2, 0, 127, -128, 127]


def test_infinity_and_what_overflows_are_clamped_without_a_warning() -> None:
    spec = TensorSpec("x", (1, 4), "int8", Quantization((0.1,), (3,)))
    x = np.array([[np.inf, -np.inf, 3e38, -3e38]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quantize_input(x, spec).tolist() == [[127, -128, 127, -128]]


def test_a_nan_cannot_be_quantized() -> None:
    with pytest.raises(DatasetError, match="NaN"):
        quantize_input(np.array([1, np.nan], np.float32), tensor("int8", 1.0))


def test_float_tensors_are_not_quantized() -> None:
    x = np.array([0.25, np.nan], np.float32)
    assert quantize_input(x, tensor("float32", None)) is x
    assert quantize_input(x, tensor("float16", None)).dtype == np.float16


def test_an_integer_tensor_without_quantization_takes_the_values_themselves() -> None:
    assert quantize_input(np.array([-3, 0.6, 300], np.float32), tensor("uint8", None)).tolist() == [0, 1, 255]


def test_quantization_per_channel() -> None:
    spec = TensorSpec("x", (1, 2), "int8", Quantization((0.5, 2.0), (1, 3), axis=1))
    q = quantize_input(np.array([[1.0, 4.0], [2.0, 8.0]], np.float32), spec)
    assert q.tolist() == [[3, 5], [5, 7]]
    assert dequantize(q, spec).tolist() == [[1.0, 4.0], [2.0, 8.0]]


@given(hnp.arrays(np.int8, (5,)), st.floats(2**-10, 4, width=32), st.integers(-128, 127))
def test_dequantizing_and_quantizing_gives_the_same_integers(q: np.ndarray, scale: float, zero_point: int) -> None:
    spec = tensor("int8", scale, zero_point)
    real = dequantize(q, spec)
    assert real.dtype == np.float32
    assert quantize_input(real, spec).tolist() == q.tolist()


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -7), ("uint8", 100), ("int16", 0)])
def test_litert_quantizes_in_the_same_way(tmp_path: Path, dtype: str, zero_point: int) -> None:
    scale, count = float(np.float32(0.0371)), 4096
    path = tmp_path / "quantize.tflite"
    path.write_bytes(quantize_network(count, dtype, scale, zero_point))
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1)
    interpreter.allocate_tensors()
    # Halves and their neighbours, where roundings differ; zero and the ends of the range, where clamps do.
    steps = np.arange(count // 4, dtype=np.float32) / 2 - 256
    x = (steps * np.float32(scale)).astype(np.float32)
    x = np.concatenate([x, np.nextafter(x, np.float32(1e9)), np.nextafter(x, np.float32(-1e9)), x * 100])
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x[None])
    interpreter.invoke()
    theirs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    np.testing.assert_array_equal(quantize_input(x, tensor(dtype, scale, zero_point)), theirs)


def quantize_network(count: int, dtype: str, scale: float, zero_point: int) -> bytes:
    """A TFLite file with one QUANTIZE operator."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def make(name: str, kind: int) -> object:
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name.encode(), [1, count], kind, 0
        return made

    source, target = make("x", schema.TensorType.FLOAT32), make("q", getattr(schema.TensorType, dtype.upper()))
    target.quantization = schema.QuantizationParametersT()
    target.quantization.scale, target.quantization.zeroPoint = [scale], [zero_point]
    code, operator, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.QUANTIZE
    code.version = 1
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0], [1]
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [source, target], [0], [1], [operator]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
