"""Training as integers: the file computes what was trained, and wins back what rounding cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.compilers.qat.conftest import right
from tests.heard import Heard

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.cluster import Cluster, ClusterSettings
from edgerig.compilers.compression.prune import Prune, PruneSettings
from edgerig.compilers.float32 import Float32
from edgerig.compilers.qat.int8 import QatInt8, QatInt8Settings, check_clusters, check_zeros
from edgerig.compilers.qat.tflite_network import TfliteNetwork
from edgerig.compilers.quantize import Int8, Int8Settings
from edgerig.datasets.base import Dataset
from edgerig.errors import ArtifactCheckError, IncompatibleError
from edgerig.measure.shares import paired_difference
from edgerig.models.graph.tflite_file import read_tflite, read_tflite_weights
from edgerig.plugins import make
from edgerig.testing.contracts.compiler import CompilerContract
from edgerig.testing.networks.tflite_builder import with_outputs

pytestmark = pytest.mark.slow

#: One scale for all channels of a kernel, of 15 numbers: depthwise kernels suffer.
NARROW: dict[str, Any] = {"weight_bits": 4, "per_channel": False}
Run = Callable[..., NDArray[Any]]


class TestQatInt8(CompilerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return QatInt8(QatInt8Settings(epochs=4, learning_rate=2e-3, **NARROW))

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, trained_net: Artifact) -> Artifact:
        return trained_net

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls, waves: Dataset) -> Dataset:
        return waves

    @pytest.fixture(scope="class")
    @classmethod
    def calibrated(cls, artifact: Artifact, waves: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
        return Int8(Int8Settings(**NARROW)).compile(artifact, tmp_path_factory.mktemp("ptq"), waves)

    def test_it_wins_back_what_rounding_cost(
        self,
        artifact: Artifact,
        compiled: Artifact,
        calibrated: Artifact,
        waves: Dataset,
        run_litert: Run,
        tmp_path: Path,
    ) -> None:
        real = right(run_litert, Float32().compile(artifact, tmp_path).path, waves)
        before, after = (right(run_litert, item.path, waves) for item in (calibrated, compiled))
        assert gain(before, real)[0] > 0.03, "rounding costs something here"
        assert gain(before, after)[0] > 0.02

    def test_the_file_computes_what_was_trained(self, compiled: Artifact, waves: Dataset, run_litert: Run) -> None:
        """Before the softmax to within a step on 99 of 100 values of the test split, and two on all.

        LiteRT rounds a hair differently in each layer. The softmax makes up to ten steps of its own of one before it;
        LiteRT's two kernels differ as much.
        """
        import jax

        graph = read_tflite(compiled.read(), "net")
        (last,) = (operator.inputs[0] for operator in graph.operators if operator.op == "SOFTMAX")
        data = with_outputs(compiled.read(), [last])
        network = TfliteNetwork(data, data, compiled.name)
        inputs = waves.split("test").inputs(slice(None), waves.preprocessing)
        call = jax.jit(jax.vmap(lambda sample: network.outputs(network.parameters, [sample], rounded=True)[0]))
        trained = np.asarray(call(inputs[:, None]))[:, 0]
        (scale,) = graph.tensors[last].quantization.scales
        for reference in (False, True):
            steps = np.abs(run_litert(data, inputs, reference=reference) - trained) / scale
            assert steps.max() <= 2.01
            assert (steps <= 1.01).mean() > 0.99
            assert (steps < 0.5).mean() > 0.7

    def test_weights_and_ranges_are_the_learned_ones(self, compiled: Artifact, calibrated: Artifact) -> None:
        before, after = (read_tflite(item.read(), "net") for item in (calibrated, compiled))
        moved = [
            tensor.name
            for tensor, old in zip(after.tensors, before.tensors, strict=True)
            if tensor.quantization != old.quantization
        ]
        ends = {after.tensors[index].name for index in (*after.inputs, *after.outputs)}
        assert moved
        assert not ends & set(moved), "the input's range is that of the data, the softmax's is fixed"
        kernels = [tensor for tensor in after.tensors if tensor.dtype == "int4"]
        assert len(kernels) == 4
        assert all(len(kernel.quantization.scales) == 1 for kernel in kernels)
        assert len(compiled.read()) == len(calibrated.read())

    def test_the_epochs_are_recorded(self, compiled: Artifact) -> None:
        record = compiled.origins[-1].options
        values = [epoch["value"] for epoch in record["validation"]]
        assert [epoch["epoch"] for epoch in record["validation"]] == [0, 1, 2, 3, 4]
        assert values[record["best_epoch"]] == max(values) > values[0]


def gain(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[float, float]:
    """The interval of what the second is right for more often, a share."""
    return paired_difference(int((before & ~after).sum()), int((after & ~before).sum()), len(after))


def test_a_network_that_learns_nothing_more_stays_as_calibrated(
    trained_net: Artifact, waves: Dataset, tmp_path: Path
) -> None:
    """A rate of next to nothing moves no integer."""
    settings = QatInt8Settings(epochs=1, learning_rate=1e-12, calibration_samples=50)
    trained = QatInt8(settings).compile(trained_net, tmp_path / "qat", waves)
    calibrated = Int8(Int8Settings(calibration_samples=50)).compile(trained_net, tmp_path / "ptq", waves)
    assert trained.read() == calibrated.read()


def test_another_dataset_is_refused(trained_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="6 outputs, and dataset 'blobs' 4 classes"):
        QatInt8(QatInt8Settings(epochs=1)).compile(trained_net, tmp_path, blobs)


def test_a_dataset_without_labels_is_refused_with_what_needs_none(trained_net: Artifact, tmp_path: Path) -> None:
    dataset = make("dataset", "random", Dataset, {"shape": [12, 12, 1], "samples": 40})
    with pytest.raises(IncompatibleError, match="cannot be fine-tuned on dataset 'random'") as raised:
        QatInt8(QatInt8Settings(epochs=1)).compile(trained_net, tmp_path, dataset)
    assert raised.value.hint == "Quantize it without training: --to int8 or onnx-int8."


def test_several_outputs_are_refused(trained_net: Artifact, waves: Dataset) -> None:
    from edgerig.compilers.qat.int8 import trained

    class Net:
        parameters = {"weights": {"0": np.zeros(1)}}  # noqa: RUF012

    two = msgspec.structs.replace(trained_net, outputs=trained_net.outputs * 2)
    with pytest.raises(IncompatibleError, match="2 outputs"):
        trained(Net(), two, waves, QatInt8Settings(), None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pruned_net(trained_net: Artifact, waves: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Three quarters of its weights are 0, as float TFLite."""
    folder = tmp_path_factory.mktemp("pruned")
    pruned = Prune(PruneSettings(share=0.75, epochs=0)).compile(trained_net, folder, waves)
    return Float32().compile(pruned, folder)


@pytest.mark.parametrize("settings", [{}, NARROW], ids=["int8", "int4"])
def test_pruned_weights_stay_exactly_0(
    settings: dict[str, Any], pruned_net: Artifact, waves: Dataset, tmp_path: Path
) -> None:
    """Each of them, though the others are trained: in the file that LiteRT runs, by the tensors' names."""
    how = {"epochs": 1, "learning_rate": 2e-3, **settings}
    compiled = QatInt8(QatInt8Settings(**how)).compile(pruned_net, tmp_path, waves)
    record = compiled.origins[-1].options
    assert record["best_epoch"] == 1
    (before, after), kernels = record["zero_weights"], 0
    assert 0.74 < before <= after
    real, stored = _by_name(pruned_net), _by_name(compiled)
    for name, numbers in real.items():
        zeros = numbers == 0
        if name in stored and numbers.ndim > 1 and zeros.any():
            kernels += 1
            assert not stored[name][zeros].any(), name
            assert stored[name][~zeros].any(), name
    assert kernels == 4


def test_zeros_come_to_life_without_the_mask_and_a_file_in_which_they_do_is_refused(
    pruned_net: Artifact, waves: Dataset, tmp_path: Path
) -> None:
    how = QatInt8Settings(epochs=1, learning_rate=2e-3, keep_zeros=False)
    heard = Heard()
    awake = QatInt8(how).compile(pruned_net, tmp_path, waves, heard)
    before, after = awake.origins[-1].options["zero_weights"]
    assert after < before / 2
    assert any("others were removed or are no longer 0" in line for line in heard.lines)
    calibrated = Int8().compile(pruned_net, tmp_path, waves).read()
    network = TfliteNetwork(calibrated, pruned_net.read(), "net")
    check_zeros(network, calibrated, "net")
    assert network.masks.keys() == network.numbers(calibrated).keys()
    moved = {key: array + 1 for key, array in network.parameters["weights"].items()}
    trained = network.written({**network.parameters, "weights": moved})
    with pytest.raises(ArtifactCheckError, match=r"of \d+ weights of a layer of net that are 0 in the float network"):
        check_zeros(network, trained, "net")


@pytest.mark.parametrize("per_channel", [True, False])
def test_clusters_are_trained_as_one_and_a_file_in_which_they_part_is_refused(
    per_channel: bool, trained_net: Artifact, waves: Dataset, tmp_path: Path
) -> None:
    """Weights that are equal have equal integers wherever they have one scale, in the file that LiteRT runs.

    Normalizations are folded into the kernels before: there weights are equal within a channel.
    """
    clustered = Cluster(ClusterSettings(values=5, epochs=0)).compile(trained_net, tmp_path / "clustered", waves)
    floats = Float32().compile(clustered, tmp_path / "float")
    how = QatInt8Settings(epochs=1, learning_rate=2e-3, per_channel=per_channel)
    compiled = QatInt8(how).compile(floats, tmp_path / "a", waves)
    assert compiled.origins[-1].options["best_epoch"] == 1
    calibrated = Int8(Int8Settings(per_channel=per_channel)).compile(floats, tmp_path / "b", waves).read()
    network = TfliteNetwork(calibrated, floats.read(), "net")
    before, after = network.numbers(calibrated), network.numbers(compiled.read())
    assert len(network.members) == 4
    for name, members in network.members.items():
        axis = network.axis(name)
        assert (axis is not None) == per_channel
        channels = range(members.shape[axis]) if axis is not None else [slice(None)]
        for channel in channels:
            own, numbers = (np.take(a, channel, axis) if axis is not None else a for a in (members, after[name]))
            assert all(len(np.unique(numbers[own == each])) == 1 for each in np.unique(own)), name
    assert any((after[name] != before[name]).any() for name in before)
    check_clusters(network, compiled.read(), network.members, "net")
    rng = np.random.default_rng(0)
    moved = {key: array + rng.normal(0, 0.05, array.shape) for key, array in network.parameters["weights"].items()}
    apart = network.written({**network.parameters, "weights": moved})
    with pytest.raises(ArtifactCheckError, match="have parted from their clusters"):
        check_clusters(network, apart, network.members, "net")


def test_clusters_may_be_given_up(trained_net: Artifact) -> None:
    assert QatInt8().refuses_after(["cluster"]) is None
    reason = QatInt8(QatInt8Settings(keep_clusters=False)).refuses_after(["cluster"])
    assert "the weights of a cluster would part" in str(reason)


def _by_name(artifact: Artifact) -> dict[str, NDArray[Any]]:
    graph, content = read_tflite(artifact.read(), "net"), read_tflite_weights(artifact.read(), "net")
    return {graph.tensors[index].name: array for index, array in content.items()}
