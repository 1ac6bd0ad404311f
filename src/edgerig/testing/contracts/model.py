"""The contract of a model, as tests.

A plugin author subclasses `ModelContract` in a test file and provides two fixtures::

    class TestMyNet(ModelContract):
        @pytest.fixture(scope="class")
        @classmethod
        def wrapper(cls): return MyNet()

        @pytest.fixture(scope="class")
        @classmethod
        def dataset(cls): return MyDataset()  # small: the network is trained on it several times
"""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig import formats
from edgerig.artifact import Artifact
from edgerig.datasets.base import Dataset
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.plugins import Settings, describe
from edgerig.testing.shared_steps import shared_steps

#: Enough epochs to change the weights; few enough for a test.
BRIEF = TrainSettings(epochs=1, batch_size=8, train_samples=24)


class ModelContract:
    """Tests that every `ModelWrapper` passes."""

    @pytest.fixture(scope="class")
    @classmethod
    def wrapper(cls) -> ModelWrapper:
        """The model under test."""
        raise NotImplementedError("give the fixture `wrapper`")

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset:
        """A small dataset for which the model is made."""
        raise NotImplementedError("give the fixture `dataset`")

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, wrapper: ModelWrapper, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
        """One brief training, shared by the tests."""
        with shared_steps(wrapper):
            return wrapper.train(dataset, BRIEF, tmp_path_factory.mktemp("model"))

    def test_model_says_what_it_is(self, wrapper: ModelWrapper) -> None:
        assert wrapper.name
        assert wrapper.summary
        assert issubclass(wrapper.Settings, Settings)
        assert all(text for _, _, text in describe(wrapper.Settings)), "every setting needs a description"

    def test_declared_input_shape_is_what_the_preprocessing_makes(
        self, wrapper: ModelWrapper, dataset: Dataset
    ) -> None:
        inputs = dataset.split("train").inputs(slice(0, 2), wrapper.preprocessing(dataset))
        assert inputs.shape[1:] == wrapper.input_shape
        assert inputs.dtype == np.float32

    def test_network_has_the_declared_input_and_the_outputs_of_its_objective(self, wrapper: ModelWrapper) -> None:
        """One probability a class, of a sample or of a pixel, or a label; or as many real values as were asked for."""
        count = math.prod(wrapper.input_shape) if wrapper.objective == "reconstruction" else 7
        model = wrapper.build(count)
        outputs = wrapper.predict(model, np.zeros((2, *wrapper.input_shape), np.float32))
        if wrapper.objective in ("targets", "reconstruction"):
            assert outputs.reshape(2, -1).shape == (2, count)
            assert np.isfinite(outputs).all()
            return
        assert outputs.shape == ((2, *wrapper.input_shape[:2], 7) if wrapper.objective == "pixels" else (2, 7))
        assert (outputs >= 0).all()
        assert (outputs <= 1).all()
        if wrapper.objective != "labels":
            assert np.allclose(outputs.sum(axis=-1), 1, atol=1e-5)

    def test_artifact_describes_the_file_that_was_trained(
        self, wrapper: ModelWrapper, dataset: Dataset, trained: Artifact
    ) -> None:
        path = Path(trained.path)
        assert path.name == f"{wrapper.name}{formats.named(wrapper.makes).suffixes[0]}"
        assert len(trained.read()) == trained.size
        assert Artifact.load(path.with_name(path.name + ".json")) == trained
        assert trained.format == wrapper.makes
        assert trained.scheme == "float32"
        (spec,) = trained.inputs
        first = spec.layout == "nchw"
        channels = (wrapper.input_shape[-1], *wrapper.input_shape[:-1])
        assert spec.shape == (1, *(channels if first else wrapper.input_shape))
        (output,) = trained.outputs
        if wrapper.objective == "class":
            assert output.shape == (1, len(dataset.classes))
        elif wrapper.objective in ("targets", "labels"):
            assert output.elements == dataset.split("test").truth(slice(0, 1), trained.preprocessing).size
        elif wrapper.objective == "reconstruction":
            assert output.elements == spec.elements
        assert trained.classes == dataset.classes
        assert trained.preprocessing == wrapper.preprocessing(dataset)

    def test_origin_tells_how_it_was_trained_and_what_came_out(
        self, wrapper: ModelWrapper, dataset: Dataset, trained: Artifact
    ) -> None:
        origin = trained.origins[-1]
        assert origin.tool == "train"
        assert origin.versions
        assert origin.seconds is not None
        if wrapper.objective in ("targets", "reconstruction"):
            assert origin.options["mae"] >= 0
        else:
            assert 0 <= origin.options["accuracy"] <= 1
        assert origin.options["loss"] >= 0
        assert origin.options["parameters"] > 0
        test = dataset.split("test")
        # An autoencoder is judged on normal samples while it is trained.
        normal = wrapper.objective == "reconstruction" and dataset.task == "anomaly"
        assert origin.options["test_samples"] == (int((test.labels != 1).sum()) if normal else len(test))

    def test_equal_seeds_give_equal_files(
        self, wrapper: ModelWrapper, dataset: Dataset, trained: Artifact, tmp_path: Path
    ) -> None:
        # From the very beginning: what is traced has to be equal, too.
        assert wrapper.train(dataset, BRIEF, tmp_path).sha256 == trained.sha256

    def test_another_seed_gives_another_file(
        self, wrapper: ModelWrapper, dataset: Dataset, trained: Artifact, tmp_path: Path
    ) -> None:
        other = msgspec.structs.replace(BRIEF, seed=BRIEF.seed + 1)
        with shared_steps(wrapper):
            assert wrapper.train(dataset, other, tmp_path).sha256 != trained.sha256
