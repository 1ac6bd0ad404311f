from __future__ import annotations

import numpy as np
import pytest

from edgerig import plugins
from edgerig.artifact import Preprocessing
from edgerig.errors import IncompatibleError, ModelError, SourceError, SpecError, UnknownNameError
from edgerig.models.architectures.mobilenetv2 import HEAD, MobileNetV2, MobileNetV2Settings
from edgerig.models.base import ModelWrapper, TrainSettings
from edgerig.models.keras.engine import import_keras, seeded
from edgerig.models.keras.files import load_keras, save_keras
from edgerig.testing.contracts.model import ModelContract
from edgerig.testing.shared_steps import shared_steps

pytestmark = pytest.mark.slow

BRIEF = TrainSettings(epochs=1, batch_size=8, train_samples=16)


def make(**settings):
    return MobileNetV2(MobileNetV2Settings(**{"weights": "none", "input_size": 32, **settings}))


def weights_of(model):
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def assert_equal_features(one, other):
    mine, theirs = weights_of(one), weights_of(other)
    for name in mine.keys() - {*HEAD}:
        for a, b in zip(mine[name], theirs[name], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def pictures(make_patterns):
    return make_patterns(make_patterns.Settings(shape=(40, 36, 3)))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A .keras file of the same architecture for other classes, and its model."""
    path = tmp_path_factory.mktemp("weights") / "features.keras"
    with seeded(11):
        model = make().build(9)
    save_keras(model, path)
    return path, model


class TestMobileNetV2Contract(ModelContract):
    @pytest.fixture(scope="class")
    def wrapper(self):
        return make()

    @pytest.fixture(scope="class")
    def dataset(self, make_patterns):
        return make_patterns(make_patterns.Settings(shape=(40, 36, 3)))


def test_mobilenetv2_is_found_by_its_name_with_settings_from_text():
    found = plugins.make("model", "mobilenetv2", ModelWrapper, {"weights": "none", "alpha": "0.5", "input_size": "64"})
    assert isinstance(found, MobileNetV2)
    assert found.input_shape == (64, 64, 3)
    with pytest.raises(UnknownNameError, match="'alhpa'") as caught:
        plugins.make("model", "mobilenetv2", ModelWrapper, {"alhpa": 1})
    assert "alpha" in caught.value.hint


def test_pixels_are_resized_and_scaled_to_minus_one_to_one(pictures):
    preprocessing = make().preprocessing(pictures)
    assert preprocessing == Preprocessing(scale=1 / 127.5, mean=(1.0,), resize=(32, 32))
    assert 255 * preprocessing.scale - preprocessing.mean[0] == pytest.approx(1)


@pytest.mark.parametrize(("alpha", "parameters"), [(0.35, 410_208), (1.0, 2_257_984)])
def test_features_have_the_parameters_of_the_published_network(alpha, parameters):
    model = make(alpha=alpha).build(5)
    head = (1280 + 1) * 5
    assert model.count_params() == parameters + head


def test_pictures_are_mirrored_or_left():
    batch = np.random.default_rng(0).random((20, 4, 4, 3), np.float32)
    changed = make().augment(batch, np.random.default_rng(1))
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(changed, batch, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(changed, batch, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert {*mirrored} == {True, False}
    affine = make(augment="affine", rotation=0, scale=(1, 1), shift=0).augment(batch, np.random.default_rng(1))
    for moved, picture in zip(affine, batch, strict=True):
        assert np.array_equal(moved, picture) or np.allclose(moved, picture[:, ::-1], atol=1e-5)
    assert (make(augment="affine").augment(batch, np.random.default_rng(1)) != batch).any()
    np.testing.assert_array_equal(make(augment=False).augment(batch, np.random.default_rng(1)), batch)


def test_weights_from_a_keras_file_are_those_of_the_file(pretrained):
    path, source = pretrained
    model = make(weights=str(path)).build(4)
    assert_equal_features(model, source)


def test_weights_from_an_h5_file_are_those_of_the_file(pretrained, tmp_path):
    with seeded(12):
        base = import_keras().applications.MobileNetV2(
            input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
        )
    path = tmp_path / "features.weights.h5"
    base.save_weights(path)
    assert_equal_features(make(weights=str(path)).build(4), base)


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_an_h5_file_that_lacks_layers_is_refused(tmp_path):
    keras = import_keras()
    path = tmp_path / "part.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(ModelError, match="does not hold weights"):
        make(weights=str(path)).build(4)


def test_weights_of_another_width_are_refused(pretrained, tmp_path):
    with pytest.raises(ModelError, match="layer 'Conv1' has another shape"):
        make(weights=str(pretrained[0]), alpha=1.0).build(4)
    path = tmp_path / "features.weights.h5"
    import_keras().applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
    ).save_weights(path)
    with pytest.raises(ModelError, match="does not hold weights") as caught:
        make(weights=str(path), alpha=1.0).build(4)
    assert "same alpha" in caught.value.hint


def test_weights_of_another_network_are_refused_by_layer(tiny_net, tmp_path):
    path = tmp_path / "other.keras"
    save_keras(tiny_net.build(4), path)
    with pytest.raises(ModelError, match="layer 'Conv1' is not in it"):
        make(weights=str(path)).build(4)


def test_missing_and_damaged_weights_are_model_errors(tmp_path):
    with pytest.raises(ModelError, match="There is no weights file"):
        make(weights=str(tmp_path / "none.h5")).build(4)
    for name in ("bad.h5", "bad.weights.h5", "bad.keras"):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(ModelError):
            make(weights=str(tmp_path / name)).build(4)


def test_weights_that_are_no_file_name_are_refused_at_once():
    with pytest.raises(SpecError, match="neither 'none' nor 'imagenet'"):
        make(weights="imagenets")


def test_imagenet_weights_exist_for_some_sizes_only():
    MobileNetV2()
    with pytest.raises(SpecError, match=r"no ImageNet weights for alpha 0\.4"):
        make(weights="imagenet", alpha=0.4, input_size=96)
    with pytest.raises(SpecError, match="input_size 100"):
        make(weights="imagenet", input_size=100)


def test_imagenet_weights_without_a_network_are_a_source_error(monkeypatch, capsys):
    def offline(*args, **kwargs):
        print("Downloading data")
        raise OSError("Network is unreachable")

    import_keras()  # with its backend, before it is patched
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", offline)
    with pytest.raises(SourceError, match=r"could not be downloaded: OSError: Network is unreachable") as caught:
        MobileNetV2().build(4)
    assert "weights=none" in caught.value.hint
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "Downloading data\n")


def test_freezing_random_features_is_refused():
    with pytest.raises(SpecError, match="random features"):
        make(freeze=True)
    assert not make().frozen
    assert make(weights="some.h5").frozen
    assert not make(weights="some.h5", freeze=False).frozen


def test_transfer_learning_trains_the_head_and_then_fine_tunes(pretrained, pictures, tmp_path):
    path, source = pretrained
    both_phases = make(weights=str(path), fine_tune_epochs=1)
    with shared_steps(both_phases):
        tuned = both_phases.train(pictures, BRIEF, tmp_path / "tuned")
        frozen = make(weights=str(path)).train(pictures, BRIEF, tmp_path / "frozen")
    assert_equal_features(load_keras(tmp_path / "frozen" / "mobilenetv2.keras"), source)
    assert tuned.sha256 != frozen.sha256
    after, before = weights_of(load_keras(tmp_path / "tuned" / "mobilenetv2.keras")), weights_of(source)
    assert not np.array_equal(after["Conv1"][0], before["Conv1"][0])
    for a, b in zip(after["bn_Conv1"], before["bn_Conv1"], strict=True):
        np.testing.assert_array_equal(a, b)


def test_grey_pictures_are_refused_with_both_shapes(patterns, tmp_path):
    with pytest.raises(IncompatibleError, match=r"32x32x3.*32x32x1"):
        make().train(patterns, BRIEF, tmp_path)
