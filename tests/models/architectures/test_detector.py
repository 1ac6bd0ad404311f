"""The detector: what it learns from boxes, where its cells lie, and that it learns to find digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.boxes import BoxedSamples
from edgerig.datasets.mnist import Mnist
from edgerig.datasets.mnist_scenes import MnistScenes, MnistScenesSettings
from edgerig.errors import IncompatibleError, SpecError
from edgerig.models.architectures.detector import Detector, DetectorSettings
from edgerig.models.architectures.detector_loss import CenterLoss
from edgerig.models.architectures.unet import UNet, UNetSettings
from edgerig.models.base import TrainSettings
from edgerig.models.files import open_artifact
from edgerig.tasks.box_truth import ImageBoxes
from edgerig.tasks.detection import Detection, DetectionSettings
from edgerig.tasks.tensors import NamedArrays

#: 16 x 24 pixels in cells of 8: two rows, three columns.
HEIGHT, WIDTH = 16, 24


def truth_of(boxes: list[list[float]], labels: list[int], crowd: list[bool] | None = None) -> np.ndarray:
    image = ImageBoxes(np.array(boxes), np.array(labels), None if crowd is None else np.array(crowd))
    samples = BoxedSamples(np.zeros((1, HEIGHT, WIDTH, 1), np.uint8), [image])
    return samples.truth(slice(None), Preprocessing())


def test_an_object_belongs_to_the_cell_of_its_centre() -> None:
    targets = CenterLoss((2, 3)).targets(truth_of([[9, 1, 6, 4], [18, 8, 6, 8]], [7, 2]))
    assert targets.shape == (1, 2, 3, 5)
    np.testing.assert_allclose(targets[0, 0, 1], [12 / WIDTH, 3 / HEIGHT, 6 / WIDTH, 4 / HEIGHT, 7])
    np.testing.assert_allclose(targets[0, 1, 2], [21 / WIDTH, 12 / HEIGHT, 6 / WIDTH, 8 / HEIGHT, 2])
    assert (targets[..., 4] >= 0).sum() == 2


def test_crowds_teach_nothing() -> None:
    targets = CenterLoss((2, 3)).targets(truth_of([[9, 1, 6, 4]], [7], [True]))
    assert (targets[..., 4] == -1).all()


def test_boxes_are_learnt_where_the_augmentation_moved_them() -> None:
    detector = Detector(DetectorSettings(augment=True, rotation=0, scale=(1, 1), shift=0, height=HEIGHT, width=WIDTH))
    truth = truth_of([[9, 1, 6, 4], [18, 8, 6, 8]], [7, 2])
    images = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)
    images[0, 1:5, 9:15] = images[0, 8:16, 18:24] = 1
    plain = CenterLoss((2, 3)).targets(truth)
    for seed in range(8):
        moved, boxes = detector.augment_boxed(images, truth, np.random.default_rng(seed))
        mirrored = bool((moved[0, 8:16, :6] > 0.5).all())
        expected = plain[:, :, ::-1].copy() if mirrored else plain
        if mirrored:
            expected[..., 0] = np.where(expected[..., 4] >= 0, 1 - expected[..., 0], expected[..., 0])
        np.testing.assert_allclose(CenterLoss((2, 3)).targets(boxes), expected, atol=1e-6)
    same, boxes = Detector(DetectorSettings()).augment_boxed(images, truth, np.random.default_rng(0))
    assert same is images
    assert boxes is truth


def outputs_of(targets: np.ndarray, classes: int = 10, score: float = 0.99) -> np.ndarray:
    outputs = np.full((*targets.shape[:-1], 4 + classes), 0.01, np.float32)
    outputs[..., :4] = targets[..., :4]
    for cell in np.argwhere(targets[..., 4] >= 0):
        outputs[(*cell, 4 + int(targets[(*cell, 4)]))] = score
    return outputs


@pytest.mark.slow
def test_the_loss_is_focal_and_absolute() -> None:
    own_loss = CenterLoss((2, 3))
    targets = own_loss.targets(truth_of([[9, 1, 6, 4], [18, 8, 6, 8]], [7, 2]))
    outputs = outputs_of(targets, score=0.8)
    outputs[0, 0, 1, 0] += 0.1
    scores = outputs[..., 4:].astype(np.float64)
    right = targets[..., 4:] == np.arange(10)
    focal = np.where(right, -((1 - scores) ** 2) * np.log(scores), -(scores**2) * np.log(1 - scores))
    assert float(own_loss.losses(targets, outputs)[0]) == pytest.approx((5 * 0.1 + focal.sum()) / 2, rel=1e-4)


def test_hits_count_objects_of_the_right_class() -> None:
    own_loss = CenterLoss((2, 3))
    targets = own_loss.targets(truth_of([[9, 1, 6, 4], [18, 8, 6, 8]], [7, 2]))
    outputs = outputs_of(targets)
    outputs[0, 1, 2, 4:] = 0.0
    outputs[0, 1, 2, 5] = 1.0
    hits, parts = own_loss.hits(targets, outputs)
    assert (hits.tolist(), parts.tolist()) == ([1], [2])


@pytest.mark.slow
def test_it_has_the_parameters_that_it_tells_and_answers_in_shares_of_the_image() -> None:
    assert Detector().build(10).count_params() == 108_126
    model = Detector(DetectorSettings(height=HEIGHT, width=WIDTH, filters=2)).build(3)
    assert model.output_shape == (None, 2, 3, 7)
    # With a head of zeros each cell answers with its own centre, and half of the image as sides.
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(weights) for weights in head.get_weights()])
    answer = np.asarray(model(np.zeros((1, HEIGHT, WIDTH, 1), np.float32)))[0]
    np.testing.assert_allclose(answer[1, 2, :4], [2.5 / 3, 1.5 / 2, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(answer[0, 0], [0.5 / 3, 0.5 / 2, *[0.5] * 5], atol=1e-6)


def test_a_size_that_is_no_multiple_of_a_cell_is_refused() -> None:
    with pytest.raises(SpecError, match="cells of 8 pixels, which 60x64 does not allow"):
        Detector(DetectorSettings(height=60)).build(2)


@pytest.mark.slow
def test_it_learns_to_find_digits(tmp_path: Path) -> None:
    dataset = MnistScenes(MnistScenesSettings(train=600, validation=50, test=100, most=2))
    settings = TrainSettings(epochs=8, learning_rate=0.005, batch_size=16)
    artifact = Detector(DetectorSettings(filters=8)).train(dataset, settings, tmp_path)
    assert open_artifact(Path(artifact.path)).classes == tuple("0123456789")
    from edgerig.models.keras.files import load_keras

    network = load_keras(Path(artifact.path))
    samples = dataset.split("test")
    outputs = np.asarray(network(samples.inputs(slice(None), artifact.preprocessing)))
    task = Detection(DetectionSettings(coordinates="relative"), classes=dataset.classes)
    kept = task.keep(
        task.decode(NamedArrays([outputs], ["boxes"]), 0), samples.truth(slice(None), artifact.preprocessing), None
    )
    values = {metric.name: metric.value for metric in task.judge(kept, samples).metrics}
    # Guessing finds nothing: boxes have to overlap by half and be of the right one of ten classes.
    assert values["map_50"] > 0.25


def test_datasets_without_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IncompatibleError, match="'detector' learns boxes of objects, dataset 'mnist' has one label"):
        Detector(DetectorSettings(height=28, width=28)).train(Mnist(), TrainSettings(epochs=1), tmp_path)


def test_a_network_of_class_maps_takes_no_boxes(tmp_path: Path) -> None:
    scenes = MnistScenes(MnistScenesSettings(train=4, validation=2, test=2))
    with pytest.raises(IncompatibleError, match=r"a class for each pixel, dataset 'mnist-scenes' has boxes"):
        UNet(UNetSettings(height=64, width=64)).train(scenes, TrainSettings(epochs=1), tmp_path)
