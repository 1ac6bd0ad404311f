"""What is shown of a network's outputs is what its task decodes of them."""

from __future__ import annotations

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.placement import place, placement_of
from edgerig.errors import IncompatibleError, InferenceError, UnknownNameError, UsageError
from edgerig.serve.video.answers import AnswerDecoder, class_map_of_frame, map_indices
from edgerig.serve.video.task_guess import guess
from edgerig.tensors import TensorSpec


def spec(*shape: int, name: str = "out") -> TensorSpec:
    return TensorSpec(name, shape, "float32")


SSD = [spec(1, 10, 4, name="boxes"), spec(1, 10, name="classes"), spec(1, 10, name="scores"), spec(1, name="num")]


@pytest.mark.parametrize(
    ("outputs", "task", "classes"),
    [
        ([spec(1, 10)], "classification", 10),
        ([spec(1, 1, 1, 1000)], "classification", 1000),
        ([spec(1, 96, 128, 4)], "segmentation", 4),
        ([spec(1, 21, 96, 128)], "segmentation", 21),
        ([spec(1, 96, 128, 1)], "segmentation", 2),
        ([spec(1, 96, 128)], "segmentation", 2),
        ([spec(1, 84, 8400)], "detection", 80),
        ([spec(1, 8400, 7)], "detection", 3),
        ([spec(1, 100, 6)], "detection", 91),
        (SSD, "detection", 91),
    ],
)
def test_the_task_is_guessed_from_the_shapes(outputs: list[TensorSpec], task: str, classes: int) -> None:
    result = guess(outputs, 0, 0)
    assert (result.task, result.classes) == (task, classes)
    assert "from the outputs" in result.reason


def test_a_named_task_and_labels_go_before_the_guess() -> None:
    result = guess([spec(1, 8400, 7)], 0, 2, "detection")
    assert (result.classes, result.reason) == (2, "Task: detection of 2 classes, named by --task detection.")
    with pytest.raises(UnknownNameError, match="regression"):
        guess([spec(1, 10)], 0, 0, "regression")
    with pytest.raises(IncompatibleError, match="Nothing is known"):
        guess([spec(1, 1)], 0, 0)
    with pytest.raises(IncompatibleError, match="none of task segmentation"):
        guess([spec(1, 10)], 0, 0, "segmentation")


def test_scores_that_are_probabilities_stay_and_others_go_through_softmax() -> None:
    decoder = AnswerDecoder([spec(1, 3)], 0, Preprocessing())
    answer = decoder({"out": np.array([[0.2, 0.7, 0.1]], np.float32)}, 10, 10)
    assert answer.scores is not None
    np.testing.assert_array_equal(answer.scores, np.float32([0.2, 0.7, 0.1]))
    assert answer.confidence == pytest.approx(0.7)
    logits = AnswerDecoder([spec(1, 3)], 0, Preprocessing())({"out": np.array([[1.0, 3.0, 0.0]], np.float32)}, 10, 10)
    assert logits.confidence == pytest.approx(np.exp(3) / (np.exp(1) + np.exp(3) + 1))
    with pytest.raises(InferenceError, match="NaN"):
        decoder({"out": np.array([[0.2, np.nan, 0.1]], np.float32)}, 10, 10)


def test_the_first_frame_decides_how_scores_are_read() -> None:
    decoder = AnswerDecoder([spec(1, 2)], 0, Preprocessing())
    decoder({"out": np.array([[4.0, 0.0]], np.float32)}, 1, 1)
    same = decoder({"out": np.array([[1.0, 0.0]], np.float32)}, 1, 1)
    assert same.confidence == pytest.approx(np.e / (np.e + 1))


@pytest.mark.parametrize("axis", [3, 1])
def test_a_mask_is_the_class_of_the_highest_score_and_its_confidence_the_mean_probability(axis: int) -> None:
    scores = np.random.default_rng(1).normal(size=(1, 16, 24, 3)).astype(np.float32)
    values = np.moveaxis(scores, 3, axis)
    answer = AnswerDecoder([spec(*values.shape)], 0, Preprocessing())({"out": values}, 48, 64)
    assert answer.class_map is not None
    np.testing.assert_array_equal(answer.class_map, scores[0].argmax(-1))
    shares = np.exp(scores[0]) / np.exp(scores[0]).sum(-1, keepdims=True)
    assert answer.confidence == pytest.approx(shares.max(-1).mean(), rel=1e-5)


def test_a_mask_of_one_channel_is_read_by_its_threshold() -> None:
    values = np.array([[0.25, 0.75, 0.75], [2.0, -1.0, -1.0], [0, 0, 0]], np.float32).reshape(1, 3, 3, 1)
    likely = AnswerDecoder([spec(1, 3, 3, 1)], 0, Preprocessing(), task="segmentation")
    answer = likely({"out": values}, 2, 2)
    assert answer.class_map is not None
    assert answer.class_map.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert answer.confidence == pytest.approx((3 * 0.75 + 6 * 1) / 9)
    logits = AnswerDecoder([spec(1, 3, 3, 1)], 0, Preprocessing(), task="segmentation", settings={"threshold": 0})
    other = logits({"out": values}, 2, 2)
    assert other.class_map is not None
    assert other.class_map.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert other.confidence == pytest.approx(np.mean([1 / (1 + np.exp(-abs(v))) for v in values.reshape(-1)]))


def test_boxes_are_moved_back_into_the_frame() -> None:
    preprocessing = Preprocessing(resize=(64, 64), fit="letterbox")
    # In a frame of 64 x 128 that is halved: 16 rows of padding above it.
    rows = np.array([[[20.0, 24.0, 10.0, 8.0, 0.1, 0.9], [40.0, 40.0, 4.0, 4.0, 0.3, 0.2]]], np.float32)
    decoder = AnswerDecoder([spec(1, 100, 6)], 0, preprocessing, names=("a", "b"), settings={"head": "yolo"})
    answer = decoder({"out": np.pad(rows, [(0, 0), (0, 98), (0, 0)])}, 64, 128)
    assert answer.boxes is not None
    assert answer.box_labels is not None
    assert answer.boxes.tolist() == [[30.0, 8.0, 20.0, 16.0]]
    assert answer.box_labels.tolist() == [1]
    assert answer.confidence == pytest.approx(0.9)
    empty = decoder({"out": np.zeros((1, 100, 6), np.float32)}, 64, 128)
    assert (empty.confidence, len(empty.boxes)) == (None, 0)  # type: ignore[arg-type]


def test_labels_of_another_network_are_refused() -> None:
    with pytest.raises(UsageError, match="10 values a sample") as caught:
        AnswerDecoder([spec(1, 10)], 0, Preprocessing(), names=("cat", "dog"))
    assert "2 labels" in str(caught.value)


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "crop", "center"])
def test_a_mask_lies_over_the_frame_where_the_network_saw_it(fit: str) -> None:
    """The frame is painted with its own class map, goes into the network's input, and comes back the same."""
    frame = np.zeros((48, 96), np.uint8)
    frame[12:36, 24:72] = 1
    at = placement_of(Preprocessing(resize=(48, 48), fit=fit), 48, 96)  # type: ignore[arg-type]
    rows, columns = ((np.arange(new) + 0.5) * old / new for old, new in ((48, at.height), (96, at.width)))
    seen = place(frame[rows.astype(int)][:, columns.astype(int)], at, 9)
    back = class_map_of_frame(seen, *map_indices(at, 48, 96, (48, 48)), outside=255)
    inside = back != 255
    assert inside.mean() == {"stretch": 1, "letterbox": 1, "crop": 0.5, "center": 0.5}[fit]
    np.testing.assert_array_equal(back[inside], frame[inside])


def test_a_map_of_the_frames_own_size_is_used_as_it_is() -> None:
    class_map = np.random.default_rng(4).integers(0, 9, (48, 96)).astype(np.uint8)
    at = placement_of(Preprocessing(resize=(480, 960)), 48, 96)
    assert class_map_of_frame(class_map, *map_indices(at, 48, 96, (48, 96)), outside=255) is class_map
    moved = placement_of(Preprocessing(resize=(48, 96), fit="center"), 40, 96)
    rows, columns = map_indices(moved, 40, 96, (48, 96))
    np.testing.assert_array_equal(class_map_of_frame(class_map, rows, columns, outside=255), class_map[4:44])
