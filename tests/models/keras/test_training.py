from __future__ import annotations

import struct
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgerig.artifact import Artifact, Preprocessing
from edgerig.errors import DatasetError, IncompatibleError, ModelError, SpecError, StorageError
from edgerig.models.base import TrainSettings
from edgerig.models.keras.files import load_keras
from edgerig.models.training.phase import Phase
from edgerig.plugins import describe
from edgerig.progress import Progress, Task
from edgerig.settings import convert_settings

pytestmark = pytest.mark.slow

TWO = TrainSettings(epochs=2, batch_size=64)
ONE = TrainSettings(epochs=1, batch_size=64)


def weights(folder, name="tiny-net"):
    return [np.asarray(variable.value) for variable in load_keras(folder / f"{name}.keras").weights]


def history(folder, name="tiny-net"):
    records = msgspec.json.decode((folder / f"{name}.history.json").read_bytes())["epochs"]
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


def assert_equal_trainings(one, other):
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert history(one) == history(other)


class Recorded(Progress):
    """Progress that keeps what it was told."""

    def __init__(self):
        self.tasks = []

    def task(self, name, total=None):
        from contextlib import nullcontext

        self.tasks.append(Task(name, total))
        return nullcontext(self.tasks[-1])


@pytest.fixture(scope="module")
def straight(tmp_path_factory, make_tiny_net, make_patterns):
    """Two epochs, undisturbed."""
    out = tmp_path_factory.mktemp("straight")
    progress = Recorded()
    artifact = make_tiny_net().train(make_patterns(), TWO, out, progress=progress, logdir=out / "logs")
    return out, artifact, progress


def test_training_again_without_resume_starts_anew_and_replaces_the_model(tiny_net, patterns, tmp_path):
    first = tiny_net.train(patterns, ONE, tmp_path)
    second = tiny_net.train(patterns, TrainSettings(epochs=1, seed=2), tmp_path)
    assert second.sha256 != first.sha256
    assert len(history(tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny-net.checkpoint.npz",
        "tiny-net.history.json",
        "tiny-net.keras",
        "tiny-net.keras.json",
    ]
    assert Artifact.load(tmp_path / "tiny-net.keras.json").read()


def test_progress_counts_batches_and_tells_loss_and_accuracy(straight):
    tasks = straight[2].tasks
    assert [task.name for task in tasks] == [
        "Training tiny-net, epoch 1 of 2",
        "Training tiny-net, epoch 2 of 2",
        "Evaluating tiny-net on 40 test samples",
    ]
    assert [(task.done, task.total) for task in tasks[:2]] == [(3, 3), (3, 3)]
    assert "loss" in tasks[0].note
    assert "accuracy" in tasks[0].note


def test_stored_accuracy_and_history_are_those_of_the_stored_model(straight, patterns):
    out, artifact, _ = straight
    model = load_keras(Path(artifact.path))
    test = patterns.split("test")
    outputs = np.asarray(model(test.inputs(slice(None), artifact.preprocessing), training=False))
    options = artifact.origins[-1].options
    assert options["accuracy"] == np.mean(outputs.argmax(-1) == test.labels)
    assert options["loss"] == pytest.approx(-np.log(outputs[np.arange(40), test.labels]).mean(), rel=1e-5)
    validation = patterns.split("validation")
    outputs = np.asarray(model(validation.inputs(slice(None), artifact.preprocessing), training=False))
    assert history(out)[-1]["val_accuracy"] == np.mean(outputs.argmax(-1) == validation.labels)
    assert options["parameters"] == model.count_params()
    assert options["train_settings"]["epochs"] == 2


def scalars(folder):
    """(step, tag) to value out of TensorBoard's event files: records of length, CRC, protobuf, CRC."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            found |= {(event.step, value.tag): value.simple_value for value in event.summary.value}
    return found


def test_event_files_hold_every_scalar_of_every_epoch(straight):
    found = scalars(straight[0] / "logs")
    tags = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    expected = {(record["epoch"], tag): record[tag] for record in history(straight[0]) for tag in tags}
    assert found == pytest.approx(expected, rel=1e-6)


def test_learning_rate_decays_by_the_epoch(tiny_net, patterns, tmp_path):
    settings = TrainSettings(epochs=3, learning_rate=0.01, learning_rate_decay=0.5)
    tiny_net.train(patterns, settings, tmp_path)
    assert [record["learning_rate"] for record in history(tmp_path)] == pytest.approx([0.01, 0.005, 0.0025])
    constant = tmp_path / "constant"
    tiny_net.train(patterns, TrainSettings(epochs=3, learning_rate=0.01), constant)
    assert history(constant)[0] == history(tmp_path)[0]
    assert history(constant)[2]["loss"] != history(tmp_path)[2]["loss"]


def test_only_so_many_training_samples_are_used(tiny_net, patterns, tmp_path):
    progress = Recorded()
    artifact = tiny_net.train(
        patterns, TrainSettings(epochs=1, batch_size=64, train_samples=70), tmp_path, progress=progress
    )
    assert artifact.origins[-1].options["train_samples"] == 70
    assert progress.tasks[0].total == 2


def test_a_loss_that_is_no_number_names_the_step_and_keeps_the_checkpoint(tiny_net, patterns, tmp_path, monkeypatch):
    tiny_net.train(patterns, ONE, tmp_path)
    kept = (tmp_path / "tiny-net.checkpoint.npz").read_bytes()
    calls = 0

    def spoil(self, batch, rng):
        nonlocal calls
        calls += 1
        return batch * np.float32(np.nan) if calls == 2 else batch

    monkeypatch.setattr(type(tiny_net), "augment", spoil)
    with pytest.raises(ModelError, match="nan at step 2 of epoch 2") as caught:
        tiny_net.train(patterns, TWO, tmp_path, resume=True)
    assert "learning rate below 0.001" in caught.value.hint
    assert (tmp_path / "tiny-net.checkpoint.npz").read_bytes() == kept


def test_a_wild_learning_rate_is_a_model_error(tiny_net, patterns, tmp_path):
    with pytest.raises(ModelError, match=r"not a number|The loss became"):
        tiny_net.train(patterns, TrainSettings(epochs=2, learning_rate=1e38), tmp_path)
    assert not (tmp_path / "tiny-net.keras").exists()


def test_wrong_shape_is_refused_with_both_shapes(tiny_net, patterns, tmp_path):
    pictures = type(patterns)(patterns.Settings(shape=(32, 32, 3)))
    with pytest.raises(IncompatibleError, match=r"28x28x1.*'patterns'.*32x32x3"):
        tiny_net.train(pictures, ONE, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("offset", "label"), [(-1, -1), (1, 4)])
def test_labels_that_are_no_classes_are_refused_by_sample(tiny_net, patterns, tmp_path, offset, label):
    patterns.labels_from = offset
    with pytest.raises(DatasetError, match=f"Sample \\d+ .* has the label {label}, which is none of its 4 classes"):
        tiny_net.train(patterns, ONE, tmp_path)


def test_a_dataset_without_classes_is_refused(tiny_net, patterns, tmp_path, monkeypatch):
    monkeypatch.setattr(type(patterns), "classes", ())
    with pytest.raises(IncompatibleError, match="no classes to learn"):
        tiny_net.train(patterns, ONE, tmp_path)


def test_a_folder_that_cannot_be_written_is_a_storage_error(tiny_net, patterns, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        tiny_net.train(patterns, ONE, tmp_path / "file" / "out")
    with pytest.raises(StorageError):
        tiny_net.train(patterns, ONE, tmp_path / "out", logdir=tmp_path / "file" / "logs")


def test_frozen_layers_stay_as_they_were(tiny_net, patterns, tmp_path, monkeypatch):
    phase = Phase(1, 0.01, learns=lambda layer: layer.name == "probabilities")
    monkeypatch.setattr(tiny_net, "phases", lambda settings: (phase,))
    slow = tmp_path / "slow"
    tiny_net.train(patterns, ONE, tmp_path)
    monkeypatch.setattr(tiny_net, "phases", lambda settings: (with_rate(phase, 1e-9),))
    tiny_net.train(patterns, ONE, slow)
    one, other = (load_keras(folder / "tiny-net.keras") for folder in (tmp_path, slow))
    for layer in one.layers:
        same = all(
            np.array_equal(a, b)
            for a, b in zip(layer.get_weights(), other.get_layer(layer.name).get_weights(), strict=True)
        )
        assert same == (layer.name != "probabilities"), layer.name


def with_rate(phase, rate):
    return Phase(phase.epochs, rate, phase.learns)


def test_splits_too_large_to_keep_train_to_the_same_weights(straight, tiny_net, patterns, tmp_path, monkeypatch):
    monkeypatch.setattr("edgerig.models.training.batches.KEEP_BYTES", 0)
    tiny_net.train(patterns, TWO, tmp_path)
    assert_equal_trainings(straight[0], tmp_path)


def test_preprocessing_travels_with_the_artifact(straight):
    assert straight[1].preprocessing == Preprocessing(scale=1 / 255)
    assert Artifact.load(straight[0] / "tiny-net.keras.json").preprocessing == Preprocessing(scale=1 / 255)


def test_training_settings_come_from_text_and_are_checked():
    settings = convert_settings(TrainSettings, {"epochs": "5", "train_samples": "10"}, "here")
    assert settings == TrainSettings(epochs=5, train_samples=10)
    for wrong in ({"train_samples": 0}, {"epochs": -1}, {"learning_rate": 0}, {"learning_rate_decay": 1.5}):
        with pytest.raises(SpecError, match=next(iter(wrong))):
            convert_settings(TrainSettings, wrong, "here")
    assert all(text for _, _, text in describe(TrainSettings))
