"""The networks of MLPerf Tiny: parameters and multiply-accumulates as published, counted as `edgerig inspect` does."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from edgerig import plugins
from edgerig.artifact import Artifact
from edgerig.compilers.chains import compile_chains, plan_chains
from edgerig.datasets.base import Dataset
from edgerig.datasets.mlperf_tiny.base import TinyDataset, TinySettings
from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS
from edgerig.datasets.mlperf_tiny.plugins import (
    AnomalyDetection,
    ImageClassification,
    KeywordSpotting,
    StreamingWakeWord,
    VisualWakeWords,
    WakeWordSettings,
)
from edgerig.datasets.mlperf_tiny.seeded import write_seeded
from edgerig.formats import named
from edgerig.models.architectures.autoencoder import Autoencoder, AutoencoderSettings
from edgerig.models.architectures.dscnn import DsCnn
from edgerig.models.architectures.mobilenetv1 import MobileNetV1
from edgerig.models.architectures.resnet8 import ResNet8
from edgerig.models.architectures.streaming_dscnn import StreamingDsCnn
from edgerig.models.base import ModelWrapper
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import graph_in
from edgerig.progress import Progress
from edgerig.testing.contracts.model import BRIEF, ModelContract
from edgerig.testing.shared_steps import shared_steps


class Case(NamedTuple):
    """A network and its benchmark; Keras's parameters, of which some do not change by training."""

    wrapper: ModelWrapper
    dataset: type[TinyDataset]
    parameters: int
    fixed: int


#: In Keras batch normalisations have four parameters a channel, two of which are trained; folded they are biases.
#: Where a momentum is set, it is that of the example, whose training JAX then need not compile anew.
CASES = {
    "kws01": Case(plugins.make("model", "dscnn", ModelWrapper, {"momentum": 0.8}), KeywordSpotting, 24_908, 1_152),
    "vww01": Case(MobileNetV1(), VisualWakeWords, 221_794, 5_472),
    "ic01": Case(ResNet8(), ImageClassification, 78_666, 480),
    "ad01": Case(
        Autoencoder(AutoencoderSettings(values=640, widths=(128, 128, 128, 128, 8))), AnomalyDetection, 265_864, 0
    ),
    "sww01": Case(
        plugins.make("model", "streaming-dscnn", ModelWrapper, {"momentum": 0.8}), StreamingWakeWord, 47_707, 832
    ),
}


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlperf-tiny")
    for name in CASES:
        write_seeded(folder, name, per_class=2)
    return folder


def dataset_of(name: str, root: Path) -> Dataset:
    cls = CASES[name].dataset
    return cls((WakeWordSettings if name == "sww01" else TinySettings)(root=str(root)))


@pytest.fixture(scope="module")
def trained_of(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    """One brief training of each network, for the contract and for the compiler."""

    @functools.cache
    def trained(name: str) -> Artifact:
        wrapper = CASES[name].wrapper
        with shared_steps(wrapper):
            return wrapper.train(dataset_of(name, root), BRIEF, tmp_path_factory.mktemp(name))

    return trained


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_quantized_they_have_the_published_parameters_and_macs(
    name: str, root: Path, trained_of: Callable[[str], Artifact], tmp_path: Path
) -> None:
    benchmark, case, dataset = BENCHMARKS[name], CASES[name], dataset_of(name, root)
    network = case.wrapper.build(640 if name == "ad01" else len(dataset.classes))
    assert network.count_params() == case.parameters
    fixed = [weight for layer in network.layers for weight in layer.non_trainable_weights if "moving" in weight.name]
    assert sum(math.prod(weight.shape) for weight in fixed) == case.fixed
    assert tuple(network.output.shape[1:]) == (benchmark.outputs,)
    # Training moves biases from 0: the compiler would share those that are equal.
    trained = trained_of(name)
    chains = plan_chains(["int8"], {}, trained, dataset)
    (*_, compiled), failures = compile_chains(chains, trained, tmp_path, dataset, Progress())
    assert not failures
    graph = graph_in(named("tflite"), Path(compiled.artifact.path))
    assert graph is not None
    analysis = analyse(graph)
    assert (analysis.parameters, analysis.macs) == (benchmark.parameters, benchmark.macs)
    assert compiled.artifact.inputs[0].shape == (1, *benchmark.input_shape)
    assert compiled.artifact.inputs[0].dtype == "int8"


@pytest.mark.parametrize("cls", [DsCnn, MobileNetV1, StreamingDsCnn])
def test_they_are_registered_under_their_names(cls: type[ModelWrapper]) -> None:
    assert plugins.find("model", cls.name, ModelWrapper) is cls


@pytest.mark.slow
class TestDsCnnContract(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return CASES["kws01"].wrapper

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, root: Path) -> Dataset:
        return dataset_of("kws01", root)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, trained_of: Callable[[str], Artifact]) -> Artifact:
        return trained_of("kws01")


@pytest.mark.slow
class TestMobileNetV1Contract(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return CASES["vww01"].wrapper

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, root: Path) -> Dataset:
        return dataset_of("vww01", root)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, trained_of: Callable[[str], Artifact]) -> Artifact:
        return trained_of("vww01")


@pytest.mark.slow
class TestStreamingDsCnnContract(ModelContract):
    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        return CASES["sww01"].wrapper

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, root: Path) -> Dataset:
        return dataset_of("sww01", root)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, trained_of: Callable[[str], Artifact]) -> Artifact:
        return trained_of("sww01")
