"""The same of ONNX networks in QDQ form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper
from tests.compilers.qat.test_qat_int8 import gain
from tests.compilers.test_onnx_int8 import NORMALIZATION, network_of

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.cluster import Cluster, ClusterSettings
from edgerig.compilers.compression.prune import Prune, PruneSettings
from edgerig.compilers.float32 import Float32
from edgerig.compilers.onnx import Onnx
from edgerig.compilers.onnx_int8 import OnnxInt8, OnnxInt8Settings
from edgerig.compilers.qat.onnx_int8 import QatOnnxInt8, QatOnnxInt8Settings
from edgerig.compilers.qat.onnx_network import OnnxNetwork
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError
from edgerig.models.files import open_artifact
from edgerig.testing.contracts.compiler import CompilerContract

pytestmark = pytest.mark.slow


class TestQatOnnxInt8(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return QatOnnxInt8(QatOnnxInt8Settings(epochs=6, learning_rate=3e-3, per_channel=False))

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, spread_net: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
        return Onnx().compile(spread_net, tmp_path_factory.mktemp("onnx"))

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, waves: Dataset) -> Dataset:
        return waves

    def test_it_wins_back_what_rounding_cost(
        self, artifact: Artifact, compiled: Artifact, waves: Dataset, tmp_path: Path
    ) -> None:
        calibrated = OnnxInt8(OnnxInt8Settings(per_channel=False)).compile(artifact, tmp_path, waves)
        samples = waves.split("test")
        inputs = samples.inputs(slice(None), waves.preprocessing)
        real, before, after = (
            onnxruntime(item.path, inputs).argmax(-1) == samples.labels for item in (artifact, calibrated, compiled)
        )
        assert gain(before, real)[0] > 0.03, "rounding costs something here"
        assert gain(before, after)[0] > 0.02

    def test_the_file_computes_what_was_trained(self, compiled: Artifact, waves: Dataset) -> None:
        import jax

        network = OnnxNetwork(compiled.read(), compiled.read(), compiled.name)
        inputs = waves.split("test").inputs(slice(None), waves.preprocessing)
        call = jax.jit(jax.vmap(lambda sample: network.outputs(network.parameters, [sample], rounded=True)[0]))
        trained = np.asarray(call(inputs[:, None]))[:, 0]
        theirs = onnxruntime(compiled.path, inputs)
        # A softmax from 0 to 1.
        assert np.abs(theirs - trained).max() <= 1.01 / 255


def onnxruntime(path: str, inputs: NDArray[np.float32]) -> NDArray[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample[None]})[0] for sample in inputs])


def test_pruned_weights_stay_exactly_0(trained_net: Artifact, waves: Dataset, tmp_path: Path) -> None:
    pruned = Prune(PruneSettings(share=0.75, epochs=0)).compile(trained_net, tmp_path, waves)
    source = Onnx().compile(Float32().compile(pruned, tmp_path), tmp_path)
    compiled = QatOnnxInt8(QatOnnxInt8Settings(epochs=1, learning_rate=2e-3)).compile(source, tmp_path, waves)
    record = compiled.origins[-1].options
    assert record["best_epoch"] == 1
    before, after = record["zero_weights"]
    assert 0.74 < before <= after < 0.85
    network = OnnxNetwork(compiled.read(), source.read(), compiled.name)
    numbers = network.numbers(compiled.read())
    assert len(network.masks) == len(numbers) == 4
    for name, mask in network.masks.items():
        assert not numbers[name][~mask].any()
        assert numbers[name][mask].any()


def test_a_normalization_in_float_is_trained_with_the_rest(waves: Dataset, tmp_path: Path, heard: Any) -> None:
    path = network_of(NORMALIZATION, {"epsilon": np.float32(1e-3)}, tmp_path / "net.onnx", outputs=len(waves.classes))
    source = open_artifact(path, preprocessing=waves.preprocessing)
    settings = QatOnnxInt8Settings(epochs=2, learning_rate=3e-3)
    record = QatOnnxInt8(settings).compile(source, tmp_path / "out", waves, heard).origins[-1].options
    assert {"Reciprocal": 1, "Sqrt": 1}.items() <= record["in_float"].items()
    assert record["best_epoch"] > 0
    assert record["validation"][record["best_epoch"]]["loss"] < record["validation"][0]["loss"]


def test_an_operator_without_a_gradient_is_named_before_anything_is_calibrated(
    waves: Dataset, tmp_path: Path, heard: Any
) -> None:
    node = helper.make_node("Round", ["h"], ["g"], name="rounded")
    path = network_of([node], {}, tmp_path / "net.onnx")
    with pytest.raises(CompileError, match=r"\(Round, 'rounded'\) has no gradient here"):
        QatOnnxInt8().compile(open_artifact(path), tmp_path / "out", waves, heard)
    assert not heard.lines


def test_clusters_are_trained_as_one(trained_net: Artifact, waves: Dataset, tmp_path: Path) -> None:
    """Of each channel, which has one scale: the compiler looks at the file, and this at the number of integers."""
    clustered = Cluster(ClusterSettings(values=4, epochs=0)).compile(trained_net, tmp_path, waves)
    source = Onnx().compile(Float32().compile(clustered, tmp_path), tmp_path)
    compiled = QatOnnxInt8(QatOnnxInt8Settings(epochs=1, learning_rate=2e-3)).compile(source, tmp_path, waves)
    assert compiled.origins[-1].options["best_epoch"] == 1
    network = OnnxNetwork(compiled.read(), source.read(), compiled.name)
    numbers = network.numbers(compiled.read())
    assert len(numbers) == 4
    for name, integers in numbers.items():
        axis = network.axis(name)
        assert axis is not None
        assert all(len(np.unique(channel)) <= 4 for channel in np.moveaxis(integers, axis, 0)), name
