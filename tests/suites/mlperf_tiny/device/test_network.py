"""Samples become inputs and outputs become results, on LiteRT; networks of other benchmarks are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.errors import IncompatibleError, InferenceError, ModelError, UnknownNameError
from edgerig.suites.mlperf_tiny.device.network import DeployedNetwork, open_network
from edgerig.testing import networks
from edgerig.testing.networks.tflite_builder import counting_network

KWS, IMAGES, ANOMALY = BENCHMARKS["kws01"], BENCHMARKS["ic01"], BENCHMARKS["ad01"]
KWS_INPUT = (KWS.scale, KWS.zero_point)


def ran(network: DeployedNetwork, sample: bytes) -> NDArray[np.float64]:
    """The results of one inference."""
    network.load(sample)
    network.infer(1)
    return np.array(network.results())


def softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max())
    return np.asarray(powers / powers.sum())


@pytest.fixture
def keyword_sample() -> NDArray[np.int8]:
    return np.random.default_rng(5).integers(-128, 128, 490).astype(np.int8)


def test_int8_samples_go_into_the_reference_quantization_as_they_are(
    tmp_path: Path, keyword_sample: NDArray[np.int8]
) -> None:
    path = networks.dense_tflite_int8(tmp_path / "kws.tflite", 490, 12, input_quantization=KWS_INPUT)
    network = open_network(KWS, path)
    assert network.as_they_are
    results = ran(network, keyword_sample.tobytes())
    raw = network.runtime.run([keyword_sample[None]]).outputs[0][0]
    scale, zero_point = networks.INT8_OUTPUT
    np.testing.assert_allclose(results, scale * (raw.astype(float) - zero_point), rtol=1e-6)
    network.close()


def test_int8_samples_are_requantized_for_a_network_of_another_scale(
    tmp_path: Path, keyword_sample: NDArray[np.int8]
) -> None:
    other = (0.75, 10)
    path = networks.dense_tflite_int8(tmp_path / "kws.tflite", 490, 12, input_quantization=other)
    network = open_network(KWS, path)
    assert not network.as_they_are
    real = KWS.scale * (keyword_sample.astype(float) - KWS.zero_point)
    expected = np.clip(np.round(real / other[0]) + other[1], -128, 127)
    network.load(keyword_sample.tobytes())
    np.testing.assert_array_equal(network._tensor.reshape(-1), expected)


def test_int8_samples_are_dequantized_for_a_float_network(tmp_path: Path, keyword_sample: NDArray[np.int8]) -> None:
    """The mistake that cost others their accuracy: the integers themselves, or these as unsigned, would be 2 or more
    away from every value expected here."""
    path = networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12, gain=0.01)
    weights, bias = networks.dense_weights(490, 12)
    real = KWS.scale * (keyword_sample.astype(float) - KWS.zero_point)
    logits = (0.01 * weights).astype(float) @ real + bias
    results = ran(open_network(KWS, path), keyword_sample.tobytes())
    np.testing.assert_allclose(results, softmax(logits), atol=1e-5)


@pytest.mark.parametrize(("name", "factor"), [("ic01", 1.0), ("vww01", 1 / 255)])
def test_image_bytes_are_scaled_for_a_float_network(tmp_path: Path, name: str, factor: float) -> None:
    benchmark = BENCHMARKS[name]
    size = benchmark.input_elements
    path = networks.dense_tflite(tmp_path / "image.tflite", benchmark.input_shape, benchmark.outputs, gain=1 / 64)
    pixels = np.random.default_rng(1).integers(0, 256, size).astype(np.uint8)
    weights, bias = networks.dense_weights(size, benchmark.outputs)
    logits = (weights / np.float32(64)).astype(float) @ (pixels * factor) + bias
    np.testing.assert_allclose(ran(open_network(benchmark, path), pixels.tobytes()), softmax(logits), atol=1e-5)


def test_image_bytes_less_128_go_into_an_int8_network(tmp_path: Path) -> None:
    path = networks.dense_tflite_int8(tmp_path / "image.tflite", 3072, 10, input_quantization=(1.0, -128))
    network = open_network(IMAGES, path)
    pixels = np.arange(3072).astype(np.uint8)
    network.load(pixels.tobytes())
    assert network._tensor.reshape(-1)[[0, 1, 127, 128, 255, 256]].tolist() == [-128, -127, -1, 0, 127, -128]


def test_channels_go_first_where_the_network_has_them_there(tmp_path: Path) -> None:
    path = networks.dense_tflite(tmp_path / "image.tflite", (3, 32, 32), 10)
    network = open_network(IMAGES, path)
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    network.load(pixels.tobytes())
    np.testing.assert_array_equal(network._tensor[0], pixels.transpose(2, 0, 1))


def autoencoder(path: Path) -> Path:
    """A network that gives half of its input, float32."""
    return networks.linear_tflite(path, np.eye(640, dtype=np.float32) / 2, np.zeros(640, np.float32))


def test_an_autoencoder_answers_its_mean_squared_distance(tmp_path: Path) -> None:
    network = open_network(ANOMALY, autoencoder(tmp_path / "ad.tflite"))
    sample = np.random.default_rng(3).normal(0, 20, 640).astype("<f4")
    assert ran(network, sample.tobytes()) == pytest.approx([np.mean((sample.astype(float) / 2) ** 2)], rel=1e-5)


def test_a_network_that_keeps_state_begins_anew_with_each_sample(tmp_path: Path) -> None:
    """It adds up what it was given: its distance from the input is its state, 0 at the beginning of a sequence."""
    path = tmp_path / "counting.tflite"
    path.write_bytes(counting_network(size=640))
    network = open_network(ANOMALY, path)
    sample = np.full(640, 3.0, "<f4").tobytes()
    assert ran(network, sample).tolist() == [0.0]
    network.infer(1)
    assert network.results() == [9.0]
    assert ran(network, sample).tolist() == [0.0]


def test_floats_are_quantized_by_the_network_itself(tmp_path: Path) -> None:
    path = networks.dense_tflite_int8(tmp_path / "ad.tflite", 640, 640, input_quantization=(0.5, 89))
    network = open_network(ANOMALY, path)
    sample = np.zeros(640, "<f4")
    sample[:5] = [1.0, -0.25, 0.25, 1000, -1000]
    network.load(sample.tobytes())
    # Halves go away from zero, and what is beyond the range is clamped.
    assert network._tensor.reshape(-1)[:6].tolist() == [91, 88, 90, 127, -128, 89]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(tmp_path: Path, value: float) -> None:
    network = open_network(ANOMALY, autoencoder(tmp_path / "ad.tflite"))
    with pytest.raises(InferenceError, match="NaN or infinity"):
        network.load(np.full(640, value, "<f4").tobytes())


def test_a_sample_of_another_length_is_refused(tmp_path: Path) -> None:
    network = open_network(KWS, networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12))
    with pytest.raises(InferenceError, match="Input db has 489 bytes, expected 490"):
        network.load(bytes(489))
    assert network.results() == ()


@pytest.mark.parametrize(
    ("features", "classes", "reason", "hint"),
    [
        ((96, 96, 3), 2, "its input is 96x96x3, not 49x10x1", r"It fits vww01: --benchmark vww01"),
        ((32, 32, 3), 10, "its input is 32x32x3, not 49x10x1", r"It fits ic01: --benchmark ic01"),
        ((49, 10, 1), 10, "it gives 10 values, not 12", r"kws01 49x10x1 to 12 values; vww01"),
    ],
)
def test_a_network_of_another_benchmark_is_refused_by_name(
    tmp_path: Path, features: tuple[int, ...], classes: int, reason: str, hint: str
) -> None:
    path = networks.dense_tflite(tmp_path / "other.tflite", features, classes)
    with pytest.raises(IncompatibleError, match=rf"other.tflite is no network of kws01 .*: {reason}") as refused:
        open_network(KWS, path)
    assert refused.value.hint is not None
    assert hint in refused.value.hint


def test_a_network_of_several_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="2 inputs and 2 outputs"):
        open_network(KWS, networks.two_input_tflite(tmp_path / "two.tflite"))


def test_files_and_runtimes_that_there_are_not(tmp_path: Path) -> None:
    path = networks.dense_tflite(tmp_path / "kws.tflite", (49, 10, 1), 12)
    with pytest.raises(UnknownNameError, match="runtime 'litter'"):
        open_network(KWS, path, "litter")
    with pytest.raises(IncompatibleError, match=r"kws.tflite: runtime 'onnxruntime' runs onnx"):
        open_network(KWS, path, "onnxruntime")
    with pytest.raises(ModelError):
        open_network(KWS, tmp_path / "none.tflite")
