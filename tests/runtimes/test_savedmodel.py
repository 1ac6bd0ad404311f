"""TensorFlow itself runs SavedModels and Keras files; without it both are refused by name."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from tests.needs import need_tensorflow

from edgerig.measure.census import Census, family
from edgerig.runtimes.savedmodel import SavedModel
from edgerig.testing.contracts.runtime import RuntimeContract

need_tensorflow()
pytestmark = pytest.mark.slow
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tensorflow

    # As the runtime does, which must not find it begun with other settings.
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    rng = np.random.default_rng(0)

    class Network(tensorflow.Module):
        def __init__(self):
            super().__init__()
            self.filters = tensorflow.Variable(rng.normal(size=(3, 3, 2, 4)).astype(np.float32))
            self.weights = tensorflow.Variable(rng.normal(size=(48, 5)).astype(np.float32))

        @tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 6, 5, 2], tensorflow.float32, name="image")])
        def run(self, image):
            hidden = tensorflow.nn.relu(tensorflow.nn.conv2d(image, self.filters, 1, "VALID"))
            scores = tensorflow.reshape(hidden, [-1, 48]) @ self.weights
            return {"scores": scores, "best": tensorflow.argmax(scores, axis=1), "hidden": hidden}

    path, network = tmp_path_factory.mktemp("saved") / "net.savedmodel", Network()
    tensorflow.saved_model.save(network, str(path), signatures={"serving_default": network.run})
    return path


class TestSavedModel(RuntimeContract):
    @pytest.fixture
    def runtime(self):
        return SavedModel()

    @pytest.fixture
    def network(self, folder):
        return folder

    @pytest.fixture
    def network_of_several(self, tmp_path):
        import tensorflow

        class Several(tensorflow.Module):
            @tensorflow.function(
                input_signature=[
                    tensorflow.TensorSpec([1, 8], tensorflow.float32, name="left"),
                    tensorflow.TensorSpec([1, 6], tensorflow.float32, name="right"),
                ]
            )
            def run(self, left, right):
                both = tensorflow.concat([left, right], axis=1)
                return {"first": 2 * both, "second": tensorflow.reduce_sum(right, axis=1, keepdims=True)}

        path, network = tmp_path / "several.savedmodel", Several()
        tensorflow.saved_model.save(network, str(path), signatures={"serving_default": network.run})
        return path

    @pytest.fixture
    def wrong_network(self, tmp_path):
        path = tmp_path / "wrong.savedmodel"
        path.mkdir()
        (path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x03")
        return path

    def reference(self, path, inputs):
        import tensorflow

        function = tensorflow.saved_model.load(str(path)).signatures["serving_default"]
        names = sorted(function.structured_outputs)
        keys = sorted(function.structured_input_signature[1])
        rows = []
        for sample in zip(*inputs, strict=True):
            outputs = function(
                **{key: tensorflow.constant(value[None]) for key, value in zip(keys, sample, strict=True)}
            )
            rows.append([outputs[name].numpy() for name in names])
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


def test_census_tells_the_operators_that_tensorflow_ran(folder: Path) -> None:
    with SavedModel() as runtime:
        runtime.load(folder)
        census = runtime.census([np.ones((1, 6, 5, 2), np.float32)])
    assert isinstance(census, Census)
    weighted = {family(group.op): (group.placement, group.dtype) for group in census.operators if family(group.op)}
    assert weighted == {"convolution": ("CPU:0", "float32"), "matrix product": ("CPU:0", "float32")}
