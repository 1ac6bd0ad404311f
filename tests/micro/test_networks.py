"""Whole networks: generated C against LiteRT's reference kernels on a thousand inputs and more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerig.artifact import TensorSpec
from edgerig.compilers.quantize import Int8
from edgerig.datasets.random import Random, RandomSettings
from edgerig.micro import Options, compile_model
from edgerig.micro.frontend.read import read_program
from edgerig.micro.reference import Machine
from edgerig.models.files import open_artifact
from edgerig.models.graph.tflite_file import read_tflite
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.testing.networks.generated import load, run_sanitized
from edgerig.testing.networks.known_networks import MLPERF_TINY, WAKE_WORDS, digits, mlperf_tiny, wake_words
from edgerig.testing.networks.random_networks import NETWORKS, random_network
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance
from edgerig.testing.networks.tflite_builder import with_outputs


def sample(spec: TensorSpec, rng: np.random.Generator, index: int) -> Any:
    """Noise, of several spreads for floats; every fourth sample smooth, as pictures and sounds are."""
    if spec.dtype == "float32":
        return (rng.normal(0, (0.5, 3, 30)[index % 3], spec.shape)).astype(np.float32)
    if index % 4:
        return rng.integers(-128, 128, spec.shape).astype(np.int8)
    walk = np.cumsum(rng.normal(0, 12, int(np.prod(spec.shape))))
    return np.clip(walk, -128, 127).astype(np.int8).reshape(spec.shape)


def hold(data: bytes, folder: Path, count: int, varied: float = 0.2, inside: int = 0) -> None:
    """Every output of ``count`` inferences in a row equals the oracle's; of the first ``inside``, what is within, too.

    The oracle runs once for both: what a network gives beside its outputs does not change these.
    """
    folder.mkdir(exist_ok=True)
    network, looked = load(compile_model(data, "net", Options()), folder, ("-O2",)), None
    if inside:
        looked = load(compile_model(looked_into(data), "looked_into", Options()), folder / "looked into", ("-O2",))
    oracle = Oracle(looked_into(data) if inside else data)
    rng = np.random.default_rng(0)
    seen, seen_inside = set(), set()
    for index in range(count):
        inputs = [sample(spec, rng, index) for spec in network.manifest.inputs]
        wanted = oracle.run(inputs)
        if looked and index < inside:
            for expected, found in zip(wanted, looked.run(inputs), strict=True):
                assert difference(expected, found) <= tolerance(expected.dtype), index
                seen_inside.add(found.tobytes())
        wanted = wanted[-len(network.manifest.outputs) :]
        for expected, found in zip(wanted, network.run(inputs), strict=True):
            assert difference(expected, found) <= tolerance(expected.dtype), index
            seen.add(found.tobytes())
    assert len(seen) > varied * count, "the outputs hardly moved"
    assert len(seen_inside) > 0.2 * inside or not inside, "what is within hardly moved"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", pytest.param("float32", marks=pytest.mark.slow)])
def test_the_digit_network_is_exact(dtype: str, tmp_path: Path) -> None:
    hold(digits(dtype), tmp_path, 1000)


def looked_into(data: bytes) -> bytes:
    """A network that also gives what its first dense layer reads and makes; its own output may rarely move."""
    graph = read_tflite(data, "network")
    dense = next(one for one in graph.operators if one.op == "FULLY_CONNECTED")
    return with_outputs(data, [dense.inputs[0], dense.outputs[0], *graph.outputs])


@pytest.mark.slow
@pytest.mark.parametrize("name", MLPERF_TINY)
def test_mlperf_tiny_is_exact(name: str, tmp_path: Path) -> None:
    hold(mlperf_tiny()[name], tmp_path, 1000, varied=0.01, inside=200)


@pytest.mark.slow
@pytest.mark.parametrize("name", WAKE_WORDS)
def test_wake_words_are_exact_with_all_they_remember(name: str, tmp_path: Path) -> None:
    hold(wake_words()[name], tmp_path, 1000, varied=0, inside=1000)


@pytest.mark.slow
@pytest.mark.parametrize("up", ["transposed", "nearest", "bilinear"])
def test_a_unet_out_of_keras_is_exact(up: str, tmp_path: Path) -> None:
    """The whole way that a user's network goes: Keras, quantized by us, compiled."""
    keras = import_keras()
    layers = keras.layers

    def block(x: Any, filters: int) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same")(x)))

    def larger(x: Any, filters: int) -> Any:
        if up == "transposed":
            return layers.Conv2DTranspose(filters, 3, strides=2, padding="same")(x)
        return layers.UpSampling2D(interpolation=up)(x)

    with seeded(3):
        picture = keras.Input((16, 24, 3))
        first = block(picture, 6)
        second = block(layers.MaxPooling2D()(first), 9)
        third = block(layers.MaxPooling2D()(second), 12)
        fourth = block(layers.Concatenate()([larger(third, 9), second]), 9)
        fifth = block(layers.Concatenate()([larger(fourth, 6), first]), 6)
        keras.Model(picture, layers.Conv2D(3, 1)(fifth)).save(tmp_path / "unet.keras")
    noise = Random(RandomSettings(shape=(16, 24, 3)))
    made = Int8().compile(open_artifact(tmp_path / "unet.keras"), tmp_path, noise)
    hold(Path(made.path).read_bytes(), tmp_path / "c", 1000)


@pytest.mark.slow
def test_a_reset_forgets(tmp_path: Path) -> None:
    data = looked_into(wake_words()["hey_jarvis"])
    network = load(compile_model(data, "net", Options()), tmp_path)
    rng = np.random.default_rng(1)
    sounds = [[sample(spec, rng, 1) for spec in network.manifest.inputs] for _ in range(40)]

    def heard() -> list[Any]:
        return [network.run(sound)[0].tolist() for sound in sounds]

    first = heard()
    assert heard() != first
    network.reset()
    assert heard() == first


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_branches_are_exact(name: str, dtype: str, tmp_path: Path) -> None:
    hold(random_network(name, dtype), tmp_path, 1000)


@pytest.mark.slow
def test_networks_are_clean_under_sanitizers(tmp_path: Path) -> None:
    files = {**mlperf_tiny(), **wake_words(), "digits": digits(), "digits_float": digits("float32")}
    files |= {f"{name}_{dtype}": random_network(name, dtype) for name in NETWORKS for dtype in ("int8", "float32")}
    sources = [compile_model(data, name, Options()) for name, data in files.items()]
    rng = np.random.default_rng(2)
    samples = [[[sample(s, rng, i) for s in source.manifest.inputs] for i in range(3)] for source in sources]
    for data, each, found in zip(files.values(), samples, run_sanitized(sources, samples, tmp_path), strict=True):
        oracle = Oracle(data)
        for inputs, outputs in zip(each, found, strict=True):
            for expected, one in zip(oracle.run(inputs), outputs, strict=True):
                assert difference(expected, one) <= tolerance(expected.dtype)


def test_numpy_runs_whole_networks_too() -> None:
    data = digits()
    machine, oracle = Machine(read_program(data, "digits")), Oracle(data)
    rng = np.random.default_rng(3)
    for index in range(5):
        inputs = [sample(TensorSpec("x", (1, 28, 28, 1), "int8"), rng, index)]
        assert (machine.run(inputs)[0] == oracle.run(inputs)[0]).all()


def test_the_digit_network_takes_little_memory() -> None:
    """Convolution and pooling fused: 9.6 KB where the plain activations are 37 KB."""
    plan = compile_model(digits(), "net", Options()).manifest.memory
    assert plan.arena == plan.lower_bound <= 9600 < plan.plain_sum / 3
