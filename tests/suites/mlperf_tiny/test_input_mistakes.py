"""Devices that get their inputs wrong on purpose, each in a known way, and what the runner makes of their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.heard import Heard
from tests.suites.mlperf_tiny.runner.scripted import ScriptedDevice
from tests.suites.mlperf_tiny.runner.sessions import settings
from tests.suites.mlperf_tiny.tiny_networks import tiny_network

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.measure.kinds import Unavailable
from edgerig.suites.mlperf_tiny.device.network import DeployedNetwork, open_network
from edgerig.suites.mlperf_tiny.input_mistakes import readings_of
from edgerig.suites.mlperf_tiny.runner.run import run_session
from edgerig.suites.mlperf_tiny.runner.summary import Summary

Inputs = Callable[[bytes], NDArray[np.float32]]
KWS, VWW = BENCHMARKS["kws01"], BENCHMARKS["vww01"]
#: Samples; of images, which take a thousand lines each, fewer.
FILES = {KWS.name: 40, VWW.name: 12}


def kws_inputs(mistake: str) -> Inputs:
    """The real input that a device with this mistake makes of a keyword's sample, in plain numpy."""

    def convert(sample: bytes) -> NDArray[np.float32]:
        q, u = np.frombuffer(sample, "i1").astype("f4"), np.frombuffer(sample, "u1").astype("f4")
        values = {
            "none": (q - 83) * 0.5847,
            "cast as unsigned bytes, and not dequantized": u,
            "fed as integers into a float network": q,
            "without the zero point": q * 0.5847,
            "without the scale": q - 83,
            "zero point's sign turned": (q + 83) * 0.5847,
        }[mistake]
        return values.astype(np.float32)

    return convert


def image_inputs(mistake: str) -> Inputs:
    def convert(sample: bytes) -> NDArray[np.float32]:
        u = np.frombuffer(sample, "u1").astype("f4")
        turned = np.frombuffer(sample, "u1").reshape(96, 96, 3)[..., ::-1].reshape(-1).astype("f4")
        values = {
            "taken for int8": (np.frombuffer(sample, "i1").astype("f4") + 128) / 255,
            "without the scale": u,
            "from -128 to 127": u - 128,
            "red and blue exchanged": turned / 255,
        }[mistake]
        return values.astype(np.float32)

    return convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks with the same weights in float and int8, and samples that these tell apart."""
    folder = tmp_path_factory.mktemp("inputs")
    rng = np.random.default_rng(5)
    for benchmark in (KWS, VWW):
        for dtype in ("float32", "int8"):
            (folder / f"{benchmark.name}-{dtype}.tflite").write_bytes(tiny_network(benchmark, dtype, seed=3))
        (folder / benchmark.name).mkdir()
        rows = []
        for index in range(FILES[benchmark.name]):
            # Features about a mean that differs from sample to sample, as those of real ones do.
            middle = rng.integers(60, 200)
            values = np.clip(rng.normal(middle, 40, benchmark.input_bytes), 0, 255).astype(np.uint8)
            (folder / benchmark.name / f"{index}.bin").write_bytes((values - 128 * (benchmark is KWS)).tobytes())
            rows.append(f"{index}.bin,{benchmark.outputs},{index % benchmark.outputs}\n")
        (folder / benchmark.name / "y_labels.csv").write_text("".join(rows))
    return folder


@pytest.fixture(scope="module")
def networks(folder: Path) -> Iterator[dict[str, DeployedNetwork]]:
    opened = {b.name: open_network(b, folder / f"{b.name}-float32.tflite") for b in (KWS, VWW)}
    yield opened
    for network in opened.values():
        network.close()


def session(
    benchmark: Benchmark, network: DeployedNetwork, inputs: Inputs, out: Path, data: Path, **changes: object
) -> Summary:
    """Accuracy of a device that runs ``network`` on what ``inputs`` makes of a sample."""

    def results(sample: bytes) -> list[float]:
        network.load_real(inputs(sample))
        network.infer(1)
        return list(network.results())

    with ScriptedDevice(benchmark.name, results) as device:
        return run_session(settings(device, data, out, benchmark=benchmark, **changes), Heard())


@pytest.mark.parametrize(
    ("mistake", "reference"),
    [
        ("cast as unsigned bytes, and not dequantized", "float32"),
        ("fed as integers into a float network", "float32"),
        ("without the zero point", "float32"),
        # What stays within the range of an int8 input is told by the int8 network, too.
        ("without the zero point", "int8"),
        ("without the scale", "float32"),
        ("zero point's sign turned", "float32"),
    ],
)
def test_a_mistake_with_quantized_samples_is_named(
    folder: Path, networks: dict[str, DeployedNetwork], tmp_path: Path, mistake: str, reference: str
) -> None:
    path = folder / f"kws01-{reference}.tflite"
    summary = session(KWS, networks["kws01"], kws_inputs(mistake), tmp_path / "out", folder, reference=path)
    (problem,) = summary.problems
    assert mistake in problem
    assert "0.5847 * (q - 83), as it must be" in problem


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistake", ["taken for int8", "without the scale", "from -128 to 127", "red and blue exchanged"]
)
def test_a_mistake_with_images_is_named(
    folder: Path, networks: dict[str, DeployedNetwork], tmp_path: Path, mistake: str
) -> None:
    path = folder / "vww01-float32.tflite"
    summary = session(VWW, networks["vww01"], image_inputs(mistake), tmp_path / "out", folder, reference=path)
    (problem,) = summary.problems
    assert mistake in problem


@pytest.mark.parametrize("reference", ["float32", "int8"])
def test_a_device_that_does_it_right_makes_no_mistake(
    folder: Path, networks: dict[str, DeployedNetwork], tmp_path: Path, reference: str
) -> None:
    path = folder / f"kws01-{reference}.tflite"
    summary = session(KWS, networks["kws01"], kws_inputs("none"), tmp_path / "out", folder, reference=path)
    assert summary.problems == ()
    assert any("answers as its network does here on" in warning for warning in summary.warnings)


def test_another_network_is_no_mistake_with_inputs(
    folder: Path, networks: dict[str, DeployedNetwork], tmp_path: Path
) -> None:
    (tmp_path / "other.tflite").write_bytes(tiny_network(KWS, "float32", seed=99))
    summary = session(
        KWS, networks["kws01"], kws_inputs("none"), tmp_path / "out", folder, reference=tmp_path / "other.tflite"
    )
    assert summary.problems == ()
    assert any("Is it the same network?" in warning for warning in summary.warnings)


def test_an_integer_reference_says_that_it_cannot_tell(
    folder: Path, networks: dict[str, DeployedNetwork], tmp_path: Path
) -> None:
    inputs = kws_inputs("cast as unsigned bytes, and not dequantized")
    path = folder / "kws01-int8.tflite"
    summary = session(KWS, networks["kws01"], inputs, tmp_path / "out", folder, reference=path)
    assert summary.problems == ()
    assert any("The float original would tell more" in warning for warning in summary.warnings)


def test_without_the_network_an_answer_of_one_class_is_told_with_its_usual_cause(folder: Path, tmp_path: Path) -> None:
    """As of 903 of 1000 samples of keywords that were cast as unsigned."""

    def results(sample: bytes) -> list[float]:
        return [0.0] * 11 + [1.0] if sample[0] % 10 else [1.0] + [0.0] * 11

    with ScriptedDevice("kws01", results) as device:
        summary = run_session(settings(device, folder, tmp_path / "out"), Heard())
    assert summary.passed is False
    assert isinstance(summary.throughput, Unavailable)
    (warning,) = [text for text in summary.warnings if "--reference" in text]
    assert "of 40 files are answered with 'unknown'" in warning
    assert "int8 already; a network takes them as 0.5847 * (q - 83), not cast as unsigned" in warning


def test_what_is_right_is_no_mistake() -> None:
    """Images of 0 to 255 go as they are into the network whose scale is 1."""
    words = {name: [reading.words for reading in readings_of(benchmark)] for name, benchmark in BENCHMARKS.items()}
    assert "fed from 0 to 255, without the scale" in words["vww01"]
    assert "fed from 0 to 255, without the scale" not in words["ic01"]
    assert "fed from 0 to 1, where the network takes 0 to 255" in words["ic01"]
    assert "fed from 0 to 1, where the network takes 0 to 255" not in words["vww01"]
    assert words["ad01"] == []


def test_a_network_of_another_size_than_the_benchmarks_is_told(folder: Path, tmp_path: Path) -> None:
    """A small network under the name of the benchmark is fast for another reason."""
    path = folder / "kws01-int8.tflite"
    with ScriptedDevice("kws01", us_per_inference=10_000) as device:
        summary = run_session(
            settings(device, folder, tmp_path / "out", mode="performance", window_seconds=0.2, reference=path), Heard()
        )
    (warning,) = [text for text in summary.warnings if "MACs" in text]
    assert (
        "kws01-int8.tflite has 4,016 MACs and 4,036 parameters, and the reference network of kws01 2,656,768" in warning
    )
