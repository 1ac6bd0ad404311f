"""Channels are removed with all that belongs to them: the least first, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.compilers.compression.compressor_contract import CompressorContract

from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.compression.keras_channels import channels_of, pruned
from edgerig.compilers.compression.prune_channels import PruneChannels, PruneChannelsSettings
from edgerig.compilers.float32 import Float32
from edgerig.compilers.quantize import Int8, Int8Settings
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, IncompatibleError, SpecError
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import read_graph
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.models.keras.files import load_keras
from edgerig.settings import convert_settings

INPUTS = np.random.default_rng(0).random((5, 12, 12, 1), np.float32)


class TestPruneChannels(CompressorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return PruneChannels(PruneChannelsSettings(share=0.5, epochs=1))

    def test_macs_and_parameters_fall_as_counted_by_hand(self, artifact: Artifact, compiled: Artifact) -> None:
        """Of 8 channels (3x3 kernels on 10x10) and 16 units half remain; the last layer has its 4 classes.

        The normalization multiplies each value once.
        """
        record = compiled.origins[-1].options
        # Keras numbers the names of layers through a process.
        assert list(record["channels"].values()) == [[8, 4], [16, 8]]
        assert [name.partition("_")[0] for name in record["left_alone"]] == ["dense"]
        macs = [100 * 9 * c + 100 * 9 * c + 100 * c + 25 * c * units + units * 4 for c, units in ((8, 16), (4, 8))]
        assert record["macs"] == macs
        assert analyse(read_graph(Path(compiled.path))).macs == macs[1] < analyse(read_graph(Path(artifact.path))).macs
        assert compiled.size < artifact.size

    @pytest.mark.slow
    def test_what_comes_of_it_is_converted_and_quantized(
        self, compiled: Artifact, dataset: Dataset, tmp_path: Path, run_litert: Callable[..., Any]
    ) -> None:
        converted = Float32().compile(compiled, tmp_path)
        expected = np.asarray(load_keras(Path(compiled.path))(INPUTS))
        np.testing.assert_allclose(run_litert(converted.path, INPUTS), expected, atol=1e-5)
        quantized = Int8(Int8Settings(calibration_samples=20)).compile(converted, tmp_path, dataset)
        assert quantized.scheme == "int8"
        assert [origin.tool for origin in quantized.origins[-3:]] == ["prune-channels", "float32", "int8"]


def weights_after(artifact: Artifact, blobs: Dataset, out: Path, **settings: Any) -> list[Any]:
    compiled = PruneChannels(PruneChannelsSettings(**settings)).compile(artifact, out, blobs)
    return load_keras(Path(compiled.path)).get_weights()


def test_a_share_of_nothing_changes_nothing(keras_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    weights = weights_after(keras_net, blobs, tmp_path, share=0.0, epochs=0)
    for after, before in zip(weights, load_keras(Path(keras_net.path)).get_weights(), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.slow
def test_fine_tuning_makes_the_loss_smaller(keras_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    keras = import_keras()
    samples, losses = blobs.split("train"), []
    for epochs in (0, 3):
        settings = PruneChannelsSettings(share=0.5, epochs=epochs, learning_rate=0.01)
        compiled = PruneChannels(settings).compile(keras_net, tmp_path / str(epochs), blobs)
        outputs = load_keras(Path(compiled.path))(samples.inputs(slice(None), keras_net.preprocessing))
        entropies = keras.losses.sparse_categorical_crossentropy(samples.labels, outputs)
        losses.append(float(np.mean(np.asarray(entropies))))
    assert losses[1] < losses[0]


def dead_channels_net() -> Any:
    """Every kind of layer that channels pass; of each prunable layer some channels are 0 wherever they are."""
    keras = import_keras()
    layers = keras.layers
    with seeded(3):
        inputs = keras.Input((12, 12, 1))
        x = layers.Conv2D(6, 3, bias_initializer="random_normal", name="first")(inputs)
        x = layers.BatchNormalization(gamma_initializer="random_normal", beta_initializer="random_normal", name="bn")(x)
        x = layers.Activation("relu")(x)
        x = layers.DepthwiseConv2D(3, bias_initializer="random_normal", name="depthwise")(x)
        x = layers.Dropout(0.5)(layers.AveragePooling2D(2)(layers.ZeroPadding2D()(x)))
        left = layers.GlobalMaxPooling2D()(layers.Conv2D(4, 1, activation="relu", name="left")(x))
        right = layers.Dense(5, activation="tanh", name="right")(layers.Flatten()(x))
        outputs = [layers.Dense(3, name=name)(branch) for name, branch in (("a", left), ("b", right))]
        model = keras.Model(inputs, outputs)
    for name, channels in (("first", [1, 4, 5]), ("left", [0, 3]), ("right", [2])):
        for name_of_layer in (name, "bn", "depthwise") if name == "first" else (name,):
            layer = model.get_layer(name_of_layer)
            arrays = layer.get_weights()
            for number, array in enumerate(arrays):
                if name_of_layer == "depthwise" and array.ndim > 1:
                    array[:, :, channels] = 0
                elif not (name_of_layer == "bn" and number == 3):  # a variance of 0 would be none
                    array[..., channels] = 0
            layer.set_weights(arrays)
    return model


@pytest.mark.slow
def test_channels_of_zeros_go_first_and_outputs_stay_the_same() -> None:
    """A third of 6 are 2, of 4 is 1, of 5 is 1: channels that are 0, so that sums have the same terms but for zeros.

    The tolerance is that of sums in another order, which a convolution of another width may have.
    """
    model = dead_channels_net()
    smaller, widths, obstacles = pruned(model, 0.34)
    assert widths == {"first": (6, 4), "left": (4, 3), "right": (5, 4)}
    assert obstacles.keys() == {"a", "b"}
    for after, before in zip(smaller(INPUTS), model(INPUTS), strict=True):
        np.testing.assert_allclose(np.asarray(after), np.asarray(before), rtol=0, atol=1e-6)
    assert smaller.count_params() < model.count_params()
    kept = model.get_layer("first").get_weights()[0][..., [0, 2, 3, 5]]
    np.testing.assert_array_equal(smaller.get_layer("first").get_weights()[0], kept)


def test_the_norm_is_that_of_the_kernel_times_what_the_normalization_scales_by() -> None:
    model = dead_channels_net()
    norms = {source.layer: source.norms for source in channels_of(model).sources}
    kernel = model.get_layer("first").get_weights()[0]
    gamma, _, _, variance = model.get_layer("bn").get_weights()
    expected = np.abs(kernel).sum((0, 1, 2)) * np.abs(gamma) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(norms["first"], expected, rtol=1e-6)
    np.testing.assert_allclose(
        norms["left"], np.abs(model.get_layer("left").get_weights()[0]).sum((0, 1, 2)), rtol=1e-6
    )


def residual_net() -> Any:
    keras = import_keras()
    layers = keras.layers
    inputs = keras.Input((12, 12, 1))
    x = layers.Conv2D(4, 3, padding="same", name="trunk")(inputs)
    y = layers.Conv2D(8, 3, padding="same", name="within")(x)
    y = layers.Conv2D(4, 3, padding="same", name="back")(y)
    x = layers.GlobalAveragePooling2D()(layers.Add(name="sum")([x, y]))
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="classes")(x))


@pytest.mark.slow
def test_channels_that_meet_in_a_sum_go_together() -> None:
    """Both convolutions before the sum lose the same channels: those whose norms are the least together."""
    with seeded(4):
        model = residual_net()
    smaller, widths, obstacles = pruned(model, 0.5)
    assert widths == {"trunk": (4, 2), "within": (8, 4), "back": (4, 2)}
    assert obstacles.keys() == {"classes"}
    kernels = {name: model.get_layer(name).get_weights()[0] for name in ("trunk", "back")}
    norms = sum(np.abs(kernel).sum((0, 1, 2)) for kernel in kernels.values())
    kept = np.sort(np.argsort(norms)[2:])
    np.testing.assert_array_equal(smaller.get_layer("trunk").get_weights()[0], kernels["trunk"][..., kept])
    # Where nobody reads the channels that went, the network before it computes the same.
    gone = np.setdiff1d(np.arange(4), kept)
    within = np.abs(model.get_layer("within").get_weights()[0]).sum((0, 1, 2))
    for name, axis, lost in (("within", 2, gone), ("classes", 0, gone), ("back", 2, np.argsort(within)[:4])):
        kernel, *rest = model.get_layer(name).get_weights()
        np.moveaxis(kernel, axis, 0)[lost] = 0
        model.get_layer(name).set_weights([kernel, *rest])
    np.testing.assert_allclose(np.asarray(smaller(INPUTS)), np.asarray(model(INPUTS)), rtol=0, atol=1e-6)


def test_groups_lose_the_same_channels_each_or_go_as_a_whole(saved: Callable[[Any], Artifact], tmp_path: Path) -> None:
    """Two groups of six lose three channels each; of eight groups of two, four go. The rest computes what it did."""
    keras = import_keras()
    layers = keras.layers
    with seeded(5):
        inputs = keras.Input((12, 12, 1))
        x = layers.Conv2D(12, 3, padding="same", activation="relu", name="first")(inputs)
        x = layers.Conv2D(16, 3, groups=2, activation="relu", bias_initializer="random_normal", name="two")(x)
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 1, groups=8, name="eight")(x))
        model = keras.Model(inputs, layers.Dense(4, name="end")(x))
    artifact = saved(model)
    record = PruneChannels(PruneChannelsSettings(share=0.5, epochs=0)).compile(artifact, tmp_path / "a").origins[-1]
    assert record.options["channels"] == {"first": [12, 6], "two": [16, 8], "eight": [16, 8]}
    assert record.options["macs"] == [
        144 * 9 * first + 100 * (9 * first // 2 * two + 2 * eight) + 4 * eight
        for first, two, eight in ((12, 16, 16), (6, 8, 8))
    ]
    smaller, _, _ = pruned(model, 0.5)
    assert smaller.get_layer("two").groups == 2
    assert smaller.get_layer("eight").groups == 4
    channels = channels_of(model)
    gone = channels.removed(0.5)
    for layer, axis in (("two", 2), ("end", 0)):
        (cut,) = [cut for cut in channels.cuts if (cut.weight, cut.axis) == (f"{layer}/0", -2)]
        kernel, *rest = model.get_layer(layer).get_weights()
        np.moveaxis(kernel, axis, 0)[np.isin(channels.classes(cut.labels), sorted(gone))] = 0
        model.get_layer(layer).set_weights([kernel, *rest])
    np.testing.assert_allclose(np.asarray(smaller(INPUTS)), np.asarray(model(INPUTS)), rtol=0, atol=1e-6)


def concatenated_net() -> Any:
    """Two branches side by side, behind which a depthwise convolution has two outputs for each channel."""
    keras = import_keras()
    layers = keras.layers
    inputs = keras.Input((12, 12, 1))
    left, right = (layers.Conv2D(n, 3, name=name)(inputs) for n, name in ((4, "left"), (6, "right")))
    x = layers.Concatenate(name="both")([left, right])
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = layers.MultiHeadAttention(1, 4, name="attention")(*2 * [layers.Reshape((64, 20), name="rows")(x)])
    return keras.Model(inputs, layers.Dense(4, name="classes")(layers.GlobalAveragePooling1D()(x)))


def test_what_meets_a_layer_that_is_not_known_is_left_alone_and_named() -> None:
    assert channels_of(concatenated_net()).obstacles() == {
        "left": "its channels meet rows (Reshape)",
        "right": "its channels meet rows (Reshape)",
        "classes": "its channels are an output of the network",
    }


def test_a_network_without_a_free_channel_is_refused_with_the_reasons(
    saved: Callable[[Any], Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    keras = import_keras()
    flat = keras.layers.Flatten()
    network = keras.Sequential([keras.Input((12, 12, 1)), flat, keras.layers.Dense(4, "softmax", name="classes")])
    with pytest.raises(CompileError, match="classes: its channels are an output of the network"):
        PruneChannels(PruneChannelsSettings(epochs=0)).compile(saved(network), tmp_path / "out", blobs)
    assert not (tmp_path / "out").exists()


def test_sums_of_tensors_are_followed_and_those_with_constants_are_not() -> None:
    keras = import_keras()
    inputs = keras.Input((8,))
    left, right, third = (keras.layers.Dense(6, name=name)(inputs) for name in ("left", "right", "third"))
    shifted = keras.ops.add(third, np.arange(6, dtype=np.float32))
    model = keras.Model(inputs, keras.layers.Dense(2, name="end")(keras.layers.Concatenate()([left + right, shifted])))
    smaller, widths, obstacles = pruned(model, 0.5)
    assert widths == {"left": (6, 3), "right": (6, 3)}
    assert obstacles.keys() == {"third", "end"}
    assert "(Add)" in obstacles["third"]
    assert smaller.count_params() == 2 * 3 * 9 + 6 * 9 + 2 * 10


def test_a_layer_that_is_used_twice_keeps_its_channels() -> None:
    keras = import_keras()
    inputs, shared = keras.Input((8,)), keras.layers.Dense(8, activation="relu", name="shared")
    model = keras.Model(inputs, keras.layers.Dense(2, name="end")(shared(shared(inputs))))
    assert channels_of(model).obstacles()["shared"] == "shared is used 2 times"


def test_a_network_without_probabilities_is_not_fine_tuned(
    saved: Callable[[Any], Artifact], blobs: Dataset, tmp_path: Path
) -> None:
    keras = import_keras()
    layers = keras.layers
    network = keras.Sequential([keras.Input((12, 12, 1)), layers.Flatten(), layers.Dense(8), layers.Dense(4)])
    with pytest.raises(IncompatibleError, match="no probabilities") as refusal:
        PruneChannels().compile(saved(network), tmp_path / "out", blobs)
    assert "epochs=0" in str(refusal.value.hint)


def test_own_layers_are_refused(keras_net: Artifact, blobs: Dataset, tmp_path: Path) -> None:
    artifact = msgspec.structs.replace(keras_net, format_options={"custom": "my_layers"})
    with pytest.raises(IncompatibleError, match="layers of your own"):
        PruneChannels().compile(artifact, tmp_path / "out", blobs)


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_is_below_1(share: float) -> None:
    with pytest.raises(SpecError):
        convert_settings(PruneChannelsSettings, {"share": share}, "compiler 'prune-channels'")
