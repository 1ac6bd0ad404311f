"""The task `detection` on the four outputs of TensorFlow Lite's post-processing operator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgerig
from edgerig.artifact import Preprocessing, TensorSpec
from edgerig.datasets.base import Dataset, SplitName
from edgerig.datasets.boxes import BoxedSamples
from edgerig.errors import IncompatibleError
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.tasks.box_ssd import roles_of
from edgerig.tasks.box_truth import ImageBoxes
from edgerig.tasks.detection import Detection, DetectionSettings
from edgerig.tasks.judgement import Agreement, Quality
from edgerig.tasks.tensors import NamedArrays
from edgerig.testing.networks.detector_networks import (
    ANCHORS,
    CENTRE_SCALE,
    NUMBERS,
    SIDE_SCALE,
    anchors,
    ssd_tflite,
)

COUNT, HEIGHT, WIDTH, MOST = 10, 40, 80, 6
CLASSES = ("cat", "dog", "emu")
OPERATOR = ("TFLite_Detection_PostProcess", *(f"TFLite_Detection_PostProcess:{i}" for i in (1, 2, 3)))


@pytest.fixture
def samples() -> BoxedSamples:
    rng = np.random.default_rng(0)
    boxes = []
    for index in range(COUNT):
        corner, sides = rng.uniform(0, 20, (index % 4, 2)), rng.uniform(5, 20, (index % 4, 2))
        boxes.append(ImageBoxes(np.concatenate([corner, sides], axis=1), rng.integers(0, 3, index % 4)))
    return BoxedSamples(rng.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3), np.uint8), boxes)


def ssd_outputs(samples: BoxedSamples) -> list[NDArray[np.float32]]:
    """Boxes, classes, scores, number; what lies beyond the number is rubbish of high scores."""
    boxes = np.random.default_rng(1).random((COUNT, MOST, 4)).astype(np.float32)
    classes = np.full((COUNT, MOST), 77, np.float32)
    scores = np.full((COUNT, MOST), 0.99, np.float32)
    for row, image in enumerate(samples.boxes):
        near, far = image.boxes[:, :2], image.boxes[:, :2] + image.boxes[:, 2:]
        corners = np.stack([near[:, 1] / HEIGHT, near[:, 0] / WIDTH, far[:, 1] / HEIGHT, far[:, 0] / WIDTH], axis=1)
        boxes[row, : len(image)], classes[row, : len(image)] = corners, image.labels
        scores[row, : len(image)] = 0.9
    return [boxes, classes, scores, np.array([len(image) for image in samples.boxes], np.float32)]


def judged(samples: BoxedSamples, outputs: NamedArrays, **settings: Any) -> Quality:
    task = Detection(DetectionSettings(**settings), classes=CLASSES, dataset="zoo")
    specs = [
        TensorSpec(name=name, shape=(1, *array.shape[1:]), dtype="float32")
        for name, array in zip(outputs.names, outputs, strict=True)
    ]
    task.check(specs, 0, 1)
    truth = samples.truth(slice(None), Preprocessing())
    return task.judge(task.keep(task.decode(outputs, 0), truth, None), samples)


def is_perfect(quality: Quality) -> bool:
    return quality.metrics[0].name == "map" and abs(quality.metrics[0].value - 1) < 1e-9


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ((0, 1, 2, 3), OPERATOR),
        ((0, 1, 2, 3), ("boxes", "detection_classes", "detection_scores", "num_detections")),
        ((2, 0, 3, 1), ("detection_scores", "detection_boxes", "num_detections", "detection_classes")),
        ((3, 2, 1, 0), ("n", "scores", "labels", "b")),
    ],
)
def test_outputs_are_recognized_in_any_order(order: tuple[int, ...], names: Any, samples: BoxedSamples) -> None:
    outputs = ssd_outputs(samples)
    assert is_perfect(judged(samples, NamedArrays([outputs[i] for i in order], names)))


def test_scores_are_told_where_names_do_not_say_so(samples: BoxedSamples) -> None:
    outputs = ssd_outputs(samples)
    names = ("StatefulPartitionedCall:3", "StatefulPartitionedCall:2", "StatefulPartitionedCall:1", "Stateful:0")
    with pytest.raises(IncompatibleError, match="their names do not say which is which") as caught:
        judged(samples, NamedArrays(outputs, names))
    assert "'scores'" in (caught.value.hint or "")
    assert is_perfect(judged(samples, NamedArrays(outputs, names), scores="StatefulPartitionedCall:1"))
    with pytest.raises(IncompatibleError, match="scores cannot lie in 'elsewhere'"):
        judged(samples, NamedArrays(outputs, names), scores="elsewhere")


def test_classes_may_count_from_one(samples: BoxedSamples) -> None:
    outputs = ssd_outputs(samples)
    outputs[1] = outputs[1] + 1
    assert is_perfect(judged(samples, NamedArrays(outputs, OPERATOR), first_class=1))


def test_a_class_that_there_is_not_is_refused_and_no_false_alarm(samples: BoxedSamples) -> None:
    outputs = ssd_outputs(samples)
    outputs[1] = outputs[1] + 1
    with pytest.raises(IncompatibleError, match="answers with class 3; dataset 'zoo' has 3 classes, counted from 0"):
        judged(samples, NamedArrays(outputs, OPERATOR))


def test_the_number_may_be_left_out(samples: BoxedSamples) -> None:
    boxes, classes, scores, number = ssd_outputs(samples)
    scores = np.where(np.arange(MOST) < number[:, None], scores, 0).astype(np.float32)
    assert is_perfect(judged(samples, NamedArrays([boxes, classes, scores], OPERATOR[:3])))


def test_an_output_that_is_chosen_is_judged_alone(samples: BoxedSamples) -> None:
    task = Detection(classes=CLASSES, dataset="zoo")
    task.check([TensorSpec(name="y", shape=(1, 30, 7), dtype="float32")], 0, 1)


@pytest.mark.parametrize(
    "shapes",
    [
        [(1, 6, 4), (1, 6)],
        [(1, 6, 4), (1, 6), (1, 5), (1,)],
        [(1, 6, 4), (1, 6, 4), (1, 6), (1,)],
        [(1, 30, 7), (1, 32, 20, 20)],
        [(1, 6, 4), (1, 6), (1, 6), (1, 9)],
    ],
)
def test_outputs_of_another_kind_are_refused(shapes: list[tuple[int, ...]]) -> None:
    specs = [TensorSpec(name=f"o{i}", shape=shape, dtype="float32") for i, shape in enumerate(shapes)]
    with pytest.raises(IncompatibleError) as caught:
        roles_of(specs, None)
    assert "--output" in (caught.value.hint or "")


def test_raw_outputs_of_an_ssd_are_refused_with_what_they_lack() -> None:
    # As MediaPipe's face detector has them: 4 numbers of a box and 12 of key points by their anchors, and a score.
    specs = [TensorSpec("regressors", (1, 896, 16), "float32"), TensorSpec("classificators", (1, 896, 1), "float32")]
    with pytest.raises(IncompatibleError, match="by their anchors") as caught:
        roles_of(specs, None)
    assert "TFLite_Detection_PostProcess" in str(caught.value.hint)


def test_shapes_that_only_the_engine_knows_are_checked_later() -> None:
    task = Detection(classes=CLASSES, dataset="zoo")
    task.check([TensorSpec(name=name, shape=(1, -1), dtype="float32") for name in OPERATOR], 0, 1)


def test_one_box_and_its_number_are_told_apart() -> None:
    shapes = {"detection_boxes": (1, 1, 4), "detection_scores": (1, 1), "detection_classes": (1, 1), "num": (1, 1)}
    roles = roles_of([TensorSpec(name=name, shape=shape, dtype="float32") for name, shape in shapes.items()], None)
    assert roles == (0, 2, 1, 3)


def encoded(box: NDArray[np.float64], anchor: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """What a detector gives at an anchor for a box in pixels, in the operator's encoding."""
    centre = np.array([(box[1] + box[3] / 2) / height, (box[0] + box[2] / 2) / width])
    sides = np.array([box[3] / height, box[2] / width])
    return np.concatenate([CENTRE_SCALE * (centre - anchor[:2]) / anchor[2:], SIDE_SCALE * np.log(sides / anchor[2:])])


def anchored_scenes(counts: Sequence[int]) -> BoxedSamples:
    """Images that are what a detector's convolutions would give, with as many boxes each, 6 x 8 pixels."""
    rng = np.random.default_rng(3)
    inputs, boxes = [], []
    for count in counts:
        rows = np.zeros((ANCHORS, NUMBERS, 1), np.float32)
        rows[:, 4] = 1.0
        chosen = rng.permutation(ANCHORS)[:count]
        # Each box near its anchor, so that none overlaps another.
        places = np.stack([chosen % 3 * NUMBERS / 3, chosen // 3 * ANCHORS / 2], axis=1)
        corner, sides = places + rng.uniform(0.1, 0.4, (count, 2)), rng.uniform(1.2, 2, (count, 2))
        image = ImageBoxes(np.concatenate([corner, sides], axis=1), rng.permutation(3)[:count])
        for anchor, box, label in zip(chosen, image.boxes, image.labels, strict=True):
            rows[anchor, :4, 0] = encoded(box, anchors()[anchor], ANCHORS, NUMBERS)
            rows[anchor, 4:, 0] = 0.05
            rows[anchor, 5 + label, 0] = 0.9
        inputs.append(rows)
        boxes.append(image)
    return BoxedSamples(np.stack(inputs), boxes)


class Anchored(Dataset):
    """Scenes for `ssd_tflite`."""

    name = "anchored"
    summary = "what a detector's convolutions would give"
    task = "detection"

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASSES

    @property
    def preprocessing(self) -> Preprocessing:
        return Preprocessing()

    def _prepare(self, progress: Progress) -> None:
        return None

    def _split(self, name: SplitName) -> BoxedSamples:
        return anchored_scenes([2, 0, 3, 1] * 5)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["litert", "micro", "tflm"])
def test_the_operator_itself_run_on_the_device_finds_the_boxes(runtime: str, tmp_path: Path) -> None:
    """Boxes as a network's convolutions would give them, through the engines' own operators, back into pixels."""
    (tmp_path / "ssd.tflite").write_bytes(ssd_tflite())
    rig = {
        "name": "t",
        "model": str(tmp_path / "ssd.tflite"),
        "dataset": f"{Path(__file__).stem}:Anchored",
        "plugin_folders": [str(Path(__file__).parent)],
        "matrix": [{"runtimes": [runtime]}],
        "measure": {"rounds": 1, "seconds": 0},
    }
    (cell,) = edgerig.run(rig, out=tmp_path / "out").cells
    arrays = Bundle(tmp_path / "out").samples(cell.id)
    assert (arrays["kept_detections"][..., 5] >= 0).sum(axis=1).tolist() == [2, 0, 3, 1] * 5
    assert is_perfect(cell.quality)
    assert not [warning for warning in cell.quality.warnings if "coordinates" in warning]
    assert isinstance(cell.agreement, Agreement)
    assert cell.agreement.same_class == 1.0
