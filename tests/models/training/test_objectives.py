"""What is minimized and told by objective: real values against scikit-learn and Keras, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.later import Later

from edgerig.artifact import Preprocessing
from edgerig.datasets.friedman import Friedman
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.datasets.samples import ArraySamples
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.models.architectures.autoencoder import Autoencoder
from edgerig.models.architectures.mlp import Mlp, MlpSettings
from edgerig.models.architectures.mnist_cnn import MnistCnn
from edgerig.models.base import TrainSettings
from edgerig.models.training.batches import Feed
from edgerig.models.training.objectives import learnt_from
from edgerig.models.training.scores import score_of
from edgerig.plugins import make

metrics = Later("sklearn.metrics")

ONE = TrainSettings(epochs=1, batch_size=16)


def values_of(count: int = 11, targets: int = 3, missing: float = 0.2) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    truth = rng.normal(3, 2, (count, targets)).astype(np.float32)
    truth[rng.random(truth.shape) < missing] = np.nan
    return rng.normal(3, 2, (count, targets)).astype(np.float32), truth


def test_real_values_are_scored_as_scikit_learn_does_without_those_that_nobody_knows() -> None:
    outputs, truth = values_of()
    batches = [(outputs[:8], truth[:8]), (np.resize(outputs[8:], (8, 3)), truth[8:])]
    score = score_of(lambda inputs: inputs, batches)
    known = np.isfinite(truth)
    wanted, given = truth[known].astype(float), outputs[known].astype(float)
    assert score.metric == "mae"
    assert score.n == known.sum()
    assert score.loss == pytest.approx(metrics.mean_squared_error(wanted, given), abs=1e-9)
    assert score.value == pytest.approx(metrics.mean_absolute_error(wanted, given), abs=1e-9)


def test_nothing_that_is_right_is_no_score() -> None:
    with pytest.raises(DatasetError, match="Nothing is known"):
        score_of(lambda inputs: inputs, [(np.ones((2, 1), np.float32), np.full((2, 1), np.nan, np.float32))])


def test_other_numbers_of_values_are_refused() -> None:
    with pytest.raises(IncompatibleError, match="gives 2 values a sample, and is to give 1"):
        score_of(lambda inputs: inputs, [(np.ones((3, 2), np.float32), np.ones((3, 1), np.float32))])


def test_an_autoencoder_is_fed_what_it_is_to_give() -> None:
    rng = np.random.default_rng(0)
    feed = Feed(ArraySamples(rng.random((10, 4), np.float32)), Preprocessing(), 4, "reconstruction")
    for inputs, truth in feed.shuffled(1, 0, lambda batch, rng: batch + rng.normal(size=batch.shape).astype("f4")):
        np.testing.assert_array_equal(inputs, truth)
    assert [len(truth) for _, truth in feed.in_order()] == [4, 4, 2]


def test_targets_come_as_they_are() -> None:
    _, truth = values_of(10)
    feed = Feed(ArraySamples(np.zeros((10, 2), np.float32), None, truth.astype(float)), Preprocessing(), 4, "targets")
    np.testing.assert_array_equal(np.concatenate([batch for _, batch in feed.in_order()]), truth)


def anomalies(labels: Any, folder: Path) -> Npz:
    x = np.arange(len(labels) * 2, dtype=np.float32).reshape(-1, 2)
    part = {"train": (x, labels), "validation": (x, labels), "test": (x, labels)}
    arrays = {f"{axis}_{name}": value for name, pair in part.items() for axis, value in zip("xy", pair, strict=True)}
    np.savez(folder / "d.npz", **arrays)
    data = Npz(NpzSettings(file=str(folder / "d.npz")))
    data.task = "anomaly"
    data.prepare()
    return data


def test_an_autoencoder_for_anomaly_detection_never_sees_an_anomalous_sample(tmp_path: Path) -> None:
    data = anomalies(np.array([0, 1, 0, 1, 0]), tmp_path)
    samples = data.split("train")
    assert learnt_from(samples, data, "class") is samples
    chosen = learnt_from(samples, data, "reconstruction")
    assert chosen.inputs(slice(None), Preprocessing())[:, 0].tolist() == [0, 4, 8]
    data.task = "classification"
    assert learnt_from(samples, data, "reconstruction") is samples


def test_without_normal_samples_an_autoencoder_has_nothing_to_learn(tmp_path: Path) -> None:
    data = anomalies(np.array([1, 1]), tmp_path)
    with pytest.raises(DatasetError, match="no normal sample"):
        learnt_from(data.split("train"), data, "reconstruction")


@pytest.mark.slow
def test_a_step_is_that_of_kerass_own_mean_squared_error() -> None:
    """The oracle: `fit` of Keras on the same batches, from the same weights."""
    from edgerig.models.keras.engine import import_keras, seeded
    from edgerig.models.keras.steps import Trainer

    keras = import_keras()
    rng = np.random.default_rng(0)
    inputs, truth = rng.random((32, 10), np.float32), rng.normal(5, 2, (32, 2)).astype(np.float32)
    with seeded(1):
        ours, theirs = Mlp().build(2), Mlp().build(2)
    theirs.set_weights(ours.get_weights())
    theirs.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    trainer = Trainer(ours)
    trainer.start(0.01)
    for _ in range(3):
        loss, metric = trainer.step(inputs, truth)
        wanted_loss, wanted_metric = theirs.train_on_batch(inputs, truth)
        theirs.reset_metrics()
        assert float(loss) == pytest.approx(wanted_loss, rel=1e-5)
        assert float(metric) == pytest.approx(wanted_metric, rel=1e-5)
    trainer.finish()
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5)


def test_labels_are_scored_as_scikit_learn_does_without_those_that_nobody_knows() -> None:
    rng = np.random.default_rng(0)
    chances = rng.random((11, 3)).astype(np.float32)
    truth = rng.integers(-1, 2, (11, 3)).astype(np.int32)
    score = score_of(lambda inputs: inputs, [(chances[:8], truth[:8]), (np.resize(chances[8:], (8, 3)), truth[8:])])
    known = truth >= 0
    assert score.n == known.sum()
    assert score.loss == pytest.approx(metrics.log_loss(truth[known], chances[known].astype(float)), abs=1e-9)
    assert score.value == pytest.approx(metrics.accuracy_score(truth[known], chances[known] >= 0.5), abs=1e-9)


@pytest.mark.slow
def test_a_step_of_labels_is_that_of_kerass_own_binary_cross_entropy() -> None:
    from edgerig.models.keras.engine import import_keras, seeded
    from edgerig.models.keras.steps import Trainer

    keras = import_keras()
    rng = np.random.default_rng(0)
    inputs, truth = rng.random((32, 10), np.float32), rng.integers(0, 2, (32, 3)).astype(np.int32)
    wrapper = Mlp(MlpSettings(widths=(8,), learns="labels"))
    with seeded(1):
        ours, theirs = wrapper.build(3), wrapper.build(3)
    theirs.set_weights(ours.get_weights())
    theirs.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["binary_accuracy"])
    trainer = Trainer(ours)
    trainer.start(0.01)
    for _ in range(3):
        loss, metric = trainer.step(inputs, truth)
        wanted = theirs.train_on_batch(inputs, truth.astype(np.float32))
        theirs.reset_metrics()
        assert (float(loss), float(metric)) == pytest.approx(wanted, rel=1e-5)
    # A batch in which nothing is known leaves numbers behind.
    loss, _ = trainer.step(inputs, np.full((32, 3), -1, np.int32))
    assert float(loss) == 0.0
    trainer.finish()
    assert all(np.isfinite(weight).all() for weight in ours.get_weights())


@pytest.mark.slow
def test_targets_that_nobody_knows_teach_nothing() -> None:
    """The weights are the same whatever stands in a sample whose target is not known; all of a batch may be so."""
    from edgerig.models.keras.engine import seeded
    from edgerig.models.keras.steps import Trainer

    def weights_after(noise: float, known: int) -> list[Any]:
        with seeded(1):
            model = Mlp().build(1)
        inputs = np.random.default_rng(0).random((8, 10), np.float32)
        inputs[known:] += noise
        truth = np.where(np.arange(8) < known, 1.0, np.nan).astype(np.float32)[:, None]
        trainer = Trainer(model)
        trainer.start(0.01)
        loss, _ = trainer.step(inputs, truth)
        trainer.finish()
        assert np.isfinite(float(loss))
        return [np.asarray(weight) for weight in model.get_weights()]

    for mine, other in zip(weights_after(0.0, 5), weights_after(9.0, 5), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
    assert all(np.isfinite(weight).all() for weight in weights_after(0.0, 0))


@pytest.mark.slow
def test_the_history_of_a_regression_has_errors_and_no_accuracy(tmp_path: Path) -> None:
    data = make("dataset", "friedman", Friedman, {"train": 64, "validation": 16, "test": 20})
    artifact = Mlp().train(data, ONE, tmp_path, logdir=tmp_path / "logs")
    (epoch,) = msgspec.json.decode((tmp_path / "mlp.history.json").read_bytes())["epochs"]
    assert {"loss", "mae", "val_loss", "val_mae"} <= set(epoch)
    assert not {"accuracy", "val_accuracy"} & set(epoch)
    assert "accuracy" not in artifact.origins[-1].options
    resumed = Mlp().train(data, msgspec.structs.replace(ONE, epochs=2), tmp_path, resume=True)
    straight = Mlp().train(data, msgspec.structs.replace(ONE, epochs=2), tmp_path / "straight")
    assert resumed.sha256 == straight.sha256


def test_a_network_and_a_dataset_of_different_objectives_are_refused(patterns: Any, tmp_path: Path) -> None:
    data = make("dataset", "friedman", Friedman, {"train": 64, "validation": 16, "test": 20})
    small = MnistCnn()
    with pytest.raises(IncompatibleError, match="takes inputs of shape"):
        small.train(data, ONE, tmp_path)
    flat = Npz(NpzSettings(file=str(_labelled(tmp_path))))
    with pytest.raises(IncompatibleError, match="learns real values, dataset 'npz' has one label a sample"):
        Mlp().train(flat, ONE, tmp_path)


def _labelled(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(folder / "l.npz", x=rng.random((60, 10), np.float32), y=np.arange(60) % 2)
    return folder / "l.npz"


def test_an_autoencoder_takes_samples_of_its_own_size(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="takes inputs of shape 140"):
        Autoencoder().train(Npz(NpzSettings(file=str(_labelled(tmp_path)))), ONE, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_samples_of_a_class_count_by_its_weight(framework: str) -> None:
    """The mean of the samples' cross-entropies, each with the weight of its class."""
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    labels = np.array([0, 1, 2, 2, 1, 0], np.int32)
    chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    losses = -np.log(chances[np.arange(6), labels])
    for weights in ((), (1.0, 0.5, 3.0), (0.0, 1.0, 0.0)):
        share = np.asarray(weights)[labels] if weights else np.ones(6)
        if framework == "keras":
            from edgerig.models.keras.steps import _of_classes

            loss, right = _of_classes(labels, chances, weights)
        else:
            torch = pytest.importorskip("torch")
            from edgerig.models.torch.learner import loss_of

            loss, right = loss_of("class", weights)(torch.from_numpy(logits), labels)
        assert float(loss) == pytest.approx((share * losses).sum() / share.sum(), rel=1e-5)
        assert float(right) == pytest.approx((logits.argmax(-1) == labels).mean())
