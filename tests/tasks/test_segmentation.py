"""Segmentation: which outputs fit, what is kept of class maps, and how they are judged."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edgerig.artifact import TensorSpec
from edgerig.datasets.masks import MaskedSamples
from edgerig.errors import DatasetError, IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.tasks.base import Array, Reference
from edgerig.tasks.judgement import Agreement
from edgerig.tasks.segmentation import Segmentation, SegmentationSettings
from edgerig.testing.contracts.task import TaskContract
from edgerig.views import Matrix, Table

COUNT, HEIGHT, WIDTH = 10, 6, 8
NAMES = ("ground", "tree", "car")


def _spec(*shape: int) -> list[TensorSpec]:
    return [TensorSpec(name="y", shape=shape, dtype="float32")]


def _samples() -> MaskedSamples:
    rng = np.random.default_rng(0)
    images = rng.random((COUNT, HEIGHT, WIDTH, 1), np.float32)
    return MaskedSamples(images, rng.integers(-1, 3, (COUNT, HEIGHT, WIDTH)).astype(np.int16))


def _scores(samples: MaskedSamples, noise: float) -> Array:
    """Scores (n, H, W, classes) that are right but for ``noise``."""
    rng = np.random.default_rng(1)
    own = np.eye(3, dtype=np.float32)[np.maximum(samples.masks, 0)]
    return (own + rng.normal(0, noise, own.shape)).astype(np.float32)


class TestSegmentation(TaskContract):
    @pytest.fixture
    def task(self) -> Segmentation:
        return Segmentation(classes=NAMES, dataset="streets")

    @pytest.fixture
    def specs(self) -> list[TensorSpec]:
        return _spec(1, HEIGHT, WIDTH, 3)

    @pytest.fixture
    def samples(self) -> MaskedSamples:
        return _samples()

    @pytest.fixture
    def outputs(self, samples: MaskedSamples) -> list[Array]:
        return [_scores(samples, 0.6)]

    def test_channels_first_and_last_give_the_same_map(self, task: Segmentation, outputs: list[Array]) -> None:
        last = task.decode(outputs, 0)
        assert last.dtype == np.uint8
        np.testing.assert_array_equal(last, outputs[0].argmax(-1))
        np.testing.assert_array_equal(last, task.decode([outputs[0].transpose(0, 3, 1, 2)], 0))

    def test_an_ambiguous_layout_is_refused_until_it_is_told(self) -> None:
        with pytest.raises(IncompatibleError, match="last axis or on the second"):
            Segmentation(classes=NAMES).check(_spec(1, 3, 5, 3), 0, 1)
        scores = np.random.default_rng(0).random((2, 3, 5, 3))
        for layout, axis in (("nhwc", 3), ("nchw", 1)):
            task = Segmentation(SegmentationSettings(layout=layout), classes=NAMES)
            task.check(_spec(1, 3, 5, 3), 0, 1)
            np.testing.assert_array_equal(task.decode([scores], 0), scores.argmax(axis))

    @pytest.mark.parametrize(
        ("shape", "words"),
        [((1, 6, 8, 4), "no axis has as many"), ((1, 144), "a class map takes"), ((1, 6, 8), "a class map takes")],
    )
    def test_outputs_that_are_no_class_map_are_refused(self, task: Segmentation, shape: tuple[int, ...], words: str):
        with pytest.raises(IncompatibleError, match=words):
            task.check(_spec(*shape), 0, 1)

    def test_an_output_of_another_size_than_the_masks_is_refused(self, task: Segmentation) -> None:
        truth = np.zeros((1, HEIGHT, WIDTH), np.int16)
        task.check_truth(_spec(1, 3, HEIGHT, WIDTH), 0, truth)
        task.check_truth(_spec(1, -1, -1, 3), 0, truth)
        with pytest.raises(IncompatibleError, match=r"4x5 pixels, the masks of dataset 'streets' are 6x8"):
            task.check_truth(_spec(1, 4, 5, 3), 0, truth)
        with pytest.raises(IncompatibleError, match="gives no masks"):
            task.check_truth(_spec(1, HEIGHT, WIDTH, 3), 0, np.zeros(1, np.int64))
        with pytest.raises(IncompatibleError, match="class maps are"):
            task.keep(np.zeros((1, 3, 4), np.uint8), truth, None)

    def test_a_dataset_without_classes_is_refused(self) -> None:
        with pytest.raises(IncompatibleError, match="has 1 classes"):
            Segmentation(classes=("all",), dataset="d").check(_spec(1, 2, 2, 1), 0, 1)

    def test_counts_and_hashes_are_kept_and_no_outputs(self, task: Segmentation, samples: MaskedSamples) -> None:
        maps = task.decode([_scores(samples, 0.6)], 0)
        kept = task.keep(maps, samples.masks, maps)
        assert kept["truth_counts"].sum(axis=(1, 2)).tolist() == (samples.masks >= 0).sum(axis=(1, 2)).tolist()
        assert all(np.array_equal(counts, np.diag(np.diag(counts))) for counts in kept["reference_counts"])
        assert kept["digest"][3].tobytes() == hashlib.sha256(maps[3].tobytes()).digest()
        copies = kept.pop("copies")
        assert copies.nbytes == COUNT * 2 * HEIGHT * WIDTH, "a map this small is kept whole, for the report's pictures"
        assert sum(array.nbytes for array in kept.values()) == COUNT * (2 * 9 * 4 + 32)

    def test_the_copies_for_pictures_are_small_and_not_stored(self, task: Segmentation) -> None:
        masks = np.zeros((2, 300, 512), np.int16)
        masks[:, :, 256:] = 1
        masks[:, 200:] = -1
        samples = MaskedSamples(np.zeros((2, 300, 512, 3), np.uint8), masks)
        kept = task.keep(np.zeros((2, 300, 512), np.uint8), masks, None)
        assert kept["copies"].shape == (2, 2, 38, 64)
        assert np.array_equal(kept["copies"][0, 0], np.where(masks[0, ::8, ::8] < 0, 255, masks[0, ::8, ::8]))
        assert "copies" not in task.stored(kept, samples)

    def test_a_class_that_there_is_not_is_refused(self, task: Segmentation, samples: MaskedSamples) -> None:
        with pytest.raises(DatasetError, match="holds 3, none of its 3 classes"):
            task.keep(np.zeros((1, 2, 2), np.uint8), np.full((1, 2, 2), 3, np.int16), None)

    def test_perfect_maps_are_perfect_and_ignored_pixels_do_not_count(self, task: Segmentation) -> None:
        samples = _samples()
        quality = task.judge(task.keep(np.maximum(samples.masks, 0).astype(np.uint8), samples.masks, None), samples)
        assert {metric.name: metric.value for metric in quality.metrics} == {
            "mean_iou": 1.0, "mean_dice": 1.0, "pixel_accuracy": 1.0, "similarity": 1.0, "similarity_foreground": 1.0,
        }  # fmt: skip
        table, matrix, _ = quality.views
        assert isinstance(table, Table)
        assert isinstance(matrix, Matrix)
        assert [row[0] for row in table.rows] == list(NAMES)
        assert sum(map(sum, matrix.counts)) == (samples.masks >= 0).sum()
        assert not quality.warnings

    def test_guesses_are_called_so(self, task: Segmentation) -> None:
        samples = _samples()
        samples.masks[samples.masks == 2] = 0
        quality = task.judge(task.keep(np.zeros(samples.masks.shape, np.uint8), samples.masks, None), samples)
        text = " ".join(quality.warnings)
        for words in (
            "does not depend on its input",
            "is of class 'car'",
            "'ground' for every pixel",
            "no better than",
        ):
            assert words in text

    def test_without_a_judged_pixel_there_is_no_metric(self, task: Segmentation) -> None:
        samples = MaskedSamples(np.zeros((2, 2, 2, 1)), np.full((2, 2, 2), -1, np.int16))
        quality = task.judge(task.keep(np.ones((2, 2, 2), np.uint8), samples.masks, None), samples)
        assert quality.metrics == ()
        assert "All pixels of all masks are ignored" in quality.warnings[0]

    def test_maps_are_compared_pixel_by_pixel(self, task: Segmentation) -> None:
        samples = _samples()
        theirs, ours = (task.decode([_scores(samples, noise)], 0) for noise in (0.2, 0.8))
        agreement = task.compare(task.keep(ours, samples.masks, theirs), Reference("float", theirs), samples, 0)
        assert isinstance(agreement, Agreement)
        assert agreement.same_class == pytest.approx((ours == theirs).mean(), abs=1e-12)
        assert agreement.max_abs_error is None
        assert agreement.alike == "pixels of the same class"

    def test_a_constant_reference_proves_nothing(self, task: Segmentation) -> None:
        samples = _samples()
        same = np.ones(samples.masks.shape, np.uint8)
        result = task.compare(task.keep(same, samples.masks, same), Reference("float", same), samples, 0)
        assert isinstance(result, Unavailable)
        assert result.reason == "vacuous: the float model predicts 'tree' for every pixel"


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (1, 4, 5)])
def test_a_single_channel_is_held_against_the_threshold(shape: tuple[int, ...]) -> None:
    logits = np.random.default_rng(0).normal(size=(3, *shape))
    for threshold in (0.0, 0.5):
        task = Segmentation(SegmentationSettings(threshold=threshold), classes=("no", "yes"))
        task.check(_spec(1, *shape), 0, 1)
        np.testing.assert_array_equal(task.decode([logits], 0), (logits > threshold).reshape(3, 4, 5))
