from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgerig.datasets.base import Dataset
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.errors import IncompatibleError, SpecError
from edgerig.models.architectures.mnist_cnn import MnistCnn
from edgerig.models.architectures.unet import UNet, UNetSettings, moved_together
from edgerig.models.base import TrainSettings
from edgerig.models.keras.steps import Evaluator, Trainer
from edgerig.models.training.scores import score_of
from edgerig.plugins import make

SMALL = UNetSettings(height=16, width=16, filters=2, depth=2)


@pytest.fixture
def squares(tmp_path: Path) -> Npz:
    """Noisy pictures whose bright squares are of class 1; the first row is ignored."""
    rng = np.random.default_rng(0)
    masks = np.zeros((48, 16, 16), np.uint8)
    for mask in masks:
        y, x = rng.integers(1, 10, 2)
        mask[y : y + 5, x : x + 5] = 1
    images = np.clip(masks * 100 + rng.normal(100, 30, masks.shape), 0, 255).astype(np.uint8)
    masks[:, 0] = 255
    np.savez(tmp_path / "d.npz", x=images, y=masks)
    return Npz(NpzSettings(file=str(tmp_path / "d.npz"), test=0.3, validation=0.2))


@pytest.mark.slow
def test_it_has_the_parameters_that_it_tells() -> None:
    model = UNet().build(2)
    assert model.count_params() == 121_746
    assert model.output_shape == (None, 128, 128, 2)
    assert UNet(UNetSettings(height=32, width=48, channels=3, filters=4, depth=4)).build(5).output_shape[1:] == (
        32,
        48,
        5,
    )


def test_a_size_that_cannot_be_halved_so_often_is_refused() -> None:
    with pytest.raises(SpecError, match=r"halves its input 3 times, which 100x128 does not allow"):
        UNet(UNetSettings(height=100)).build(2)


@pytest.mark.slow
def test_an_encoder_of_mobilenetv2_gives_maps_of_the_inputs_size_and_learns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = np.zeros((12, 64, 32), np.uint8)
    masks[:, 16:40] = 1
    images = np.clip(masks[..., None] * 100 + rng.normal(80, 10, (*masks.shape, 3)), 0, 255).astype(np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=masks)
    dataset = Npz(NpzSettings(file=str(tmp_path / "d.npz"), test=0.3, validation=0.2))
    settings = UNetSettings(height=64, width=32, channels=3, filters=1, encoder="mobilenetv2", class_weights=(1, 2))
    network = UNet(settings)
    layers = network.build(2).layers
    joined = [layer for layer in layers if layer.name.endswith("_join")]
    assert [layer.output.shape[1:3] for layer in joined] == [(4, 2), (8, 4), (16, 8), (32, 16)]
    grown = [layer for layer in layers if layer.name.endswith("_grow")]
    # 512, 256, 128, 64 with the usual 8 filters.
    assert [layer.filters for layer in grown] == [64 // UNetSettings().filters * n for n in (8, 4, 2, 1)]
    assert {(layer.kernel_size, layer.strides, layer.use_bias) for layer in grown} == {((3, 3), (2, 2), False)}
    artifact = network.train(dataset, TrainSettings(epochs=2, batch_size=4), tmp_path / "out")
    assert artifact.outputs[0].shape == (1, 64, 32, 2)
    assert artifact.preprocessing.scale == 1 / 127.5
    losses = [record["loss"] for record in json.loads((tmp_path / "out/unet.history.json").read_text())["epochs"]]
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_an_encoder_of_mobilenetv2_refuses_grey_images_and_odd_sizes() -> None:
    with pytest.raises(SpecError, match="takes colour images, and channels is 1"):
        UNet(UNetSettings(encoder="mobilenetv2")).build(2)
    with pytest.raises(SpecError, match="halves its input 5 times, which 48x64"):
        UNet(UNetSettings(encoder="mobilenetv2", channels=3, height=48, width=64)).build(2)


def test_image_and_mask_move_alike() -> None:
    """Where each pixel's mask is its own value, it still is after any move."""
    rng = np.random.default_rng(0)
    for height, width in ((8, 8), (8, 16)):
        masks = rng.permutation(4 * height * width).reshape(4, height, width).astype(np.int32)
        images = masks[..., None].astype(np.float32)
        moved_images, moved_masks = moved_together(images, masks, rng)
        np.testing.assert_array_equal(moved_images[..., 0], moved_masks)
        assert not np.array_equal(moved_masks, masks)
        np.testing.assert_array_equal(masks, images[..., 0])


def test_affine_moves_image_and_mask_alike_and_by_the_generator_alone() -> None:
    network = UNet(UNetSettings(augment="affine", scale=(0.8, 1.25)))
    masks = np.zeros((6, 32, 48), np.int32)
    masks[:, 8:24, 12:36] = 1
    images = masks[..., None].astype(np.float32)
    moved, truth = network.augment_masked(images, masks, np.random.default_rng(3))
    again, truth_again = network.augment_masked(images, masks, np.random.default_rng(3))
    np.testing.assert_array_equal(moved, again)
    np.testing.assert_array_equal(truth, truth_again)
    known = truth >= 0
    assert ((moved[..., 0] > 0.5) == truth)[known].mean() > 0.98
    assert (truth != masks).any()
    assert set(np.unique(truth)) == {-1, 0, 1}
    with pytest.raises(SpecError, match="scale: 2 is larger than 1"):
        UNet(UNetSettings(augment="affine", scale=(2, 1))).augment_masked(images, masks, np.random.default_rng(0))


@pytest.mark.slow
def test_it_learns_squares_and_tells_the_accuracy_of_judged_pixels(squares: Npz, tmp_path: Path) -> None:
    network = UNet(UNetSettings(height=16, width=16, filters=8, depth=2))
    artifact = network.train(
        squares, TrainSettings(epochs=30, batch_size=4, learning_rate=0.01), tmp_path / "out", resume=False
    )
    assert artifact.origins[0].options["accuracy"] > 0.95
    assert artifact.outputs[0].shape[1:] == (16, 16, 2)


@pytest.mark.slow
def test_ignored_pixels_and_weights_of_0_change_nothing() -> None:
    """The step and its loss are the same whatever ignored pixels hold, and whatever a class of weight 0 answers."""
    from edgerig.models.keras.engine import seeded

    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2, 16, 16, 1)).astype(np.float32)
    labels = rng.integers(0, 2, (2, 16, 16)).astype(np.int32)
    forms = {"all": labels, "ignored": np.where(labels == 1, -1, labels)}
    losses = {}
    for weights in ((), (1.0, 0.0)):
        with seeded(1):
            trainer = Trainer(UNet(SMALL).build(2), weights)
        for form, truth in forms.items():
            trainer.start(0.01)  # from the weights of the seed: without `finish` a step leaves the model as it was
            losses[form, len(weights)] = float(trainer.step(inputs, truth)[0])
    every, first = losses["all", 0], losses["all", 2]
    ignored, both = losses["ignored", 0], losses["ignored", 2]
    assert first == pytest.approx(ignored, rel=1e-6) == pytest.approx(both, rel=1e-6)
    assert every != pytest.approx(first, rel=1e-3)


@pytest.mark.slow
def test_the_score_is_that_of_judged_pixels() -> None:
    model = UNet(SMALL).build(2)
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, 16, 16, 1)).astype(np.float32)
    labels = rng.integers(-1, 2, (3, 16, 16)).astype(np.int32)
    evaluator = Evaluator(model)
    outputs = evaluator.predict(inputs)
    known = labels >= 0
    score = score_of(evaluator.predict, [(inputs, labels)])
    chosen = np.take_along_axis(outputs, np.maximum(labels, 0)[..., None], -1)[..., 0][known]
    assert score.n == known.sum()
    assert score.value == pytest.approx((outputs.argmax(-1) == labels)[known].mean(), abs=1e-9)
    assert score.loss == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


def test_labels_for_masks_masks_for_labels_and_wrong_weights_are_refused(squares: Npz, tmp_path: Path) -> None:
    random = make("dataset", "mnist", Dataset, {})
    with pytest.raises(IncompatibleError, match="learns a class for each pixel, dataset 'mnist' has one label"):
        UNet(UNetSettings(height=28, width=28, depth=2)).train(random, TrainSettings(), tmp_path / "a")
    with pytest.raises(IncompatibleError, match="has 3 class weights for the 2 classes"):
        UNet(UNetSettings(height=16, width=16, class_weights=(1, 1, 1))).train(squares, TrainSettings(), tmp_path / "b")


def test_masks_for_a_network_of_labels_are_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (8, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "d.npz", x=images, y=(images > 127).astype(np.uint8))
    with pytest.raises(IncompatibleError, match="learns one class a sample, dataset 'npz' has masks"):
        MnistCnn().train(Npz(NpzSettings(file=str(tmp_path / "d.npz"))), TrainSettings(), tmp_path / "out")


def test_images_of_any_size_come_to_the_height_and_width_of_the_network() -> None:
    network = UNet(UNetSettings(height=32, width=48, channels=3, encoder="mobilenetv2"))
    files = make("dataset", "pet", Dataset, {"size": 96, "root": "."})
    assert network.preprocessing(files).resize == (32, 48)
    assert network.preprocessing(files).scale == 1 / 127.5
