"""What verdicts on quality are made of, by the tasks of edgerig: each metric against what the task itself tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerig.datasets.samples import ArraySamples
from edgerig.measure.shares import paired_difference
from edgerig.results.gate.limits import HIGHER, QUALITIES
from edgerig.tasks.anomaly import Anomaly, AnomalySettings
from edgerig.tasks.base import Task
from edgerig.tasks.box_truth import Frame, ImageBoxes, pack
from edgerig.tasks.classification import Classification
from edgerig.tasks.detection import Detection
from edgerig.tasks.evidence import Evidence, compared, mean_of, share_of, why_vacuous
from edgerig.tasks.multilabel import Multilabel
from edgerig.tasks.regression import Regression
from edgerig.tasks.segmentation import Segmentation
from edgerig.tasks.streaming import Streaming, StreamingSettings

N = 60
RNG = np.random.default_rng(7)
LABELS = np.arange(N) % 7


class Frames(ArraySamples):
    """Samples that are the frames of two streams."""

    streams = np.repeat([0, 1], N // 2)


def boxes() -> tuple[Any, Any]:
    """Detections of an object an image, some of them off, and what is right."""
    frames = [Frame(1, 1, 0, 0, 64, 64, 64, 64)] * N
    objects = [ImageBoxes(np.array([[8.0, 8.0, 20.0 + k % 5, 20.0]]), np.array([k % 3])) for k in range(N)]
    truth = pack(frames, objects, 1)
    found = np.full((N, 4, 6), -1.0, np.float32)
    found[:, 0, :4] = truth[:, 1, :4] + RNG.normal(0, 2, (N, 4))
    found[:, 0, 4], found[:, 0, 5] = RNG.random(N), truth[:, 1, 4]
    return found, truth


def cases() -> list[tuple[Task, dict[str, Any]]]:
    """A task and what it keeps of all samples."""
    names = tuple("abcdefg")
    scores = RNG.normal(size=(N, 7)) + 1.2 * np.eye(7)[LABELS]
    anomalous = (np.arange(N) % 3 == 0).astype(np.int64)
    values = RNG.normal(size=(N, 2))
    found, truth = boxes()
    counts = RNG.integers(0, 90, (N, 3, 3)).astype(np.int32) + 60 * np.eye(3, dtype=np.int32)
    present = (RNG.random((N, 4)) < 0.4).astype(np.int8)
    stream = np.where(np.arange(N) % 10 < 4, 1, 0)
    frames = np.clip(np.stack([0.5 + 0 * stream, 0.4 * stream + RNG.random(N) * 0.7], axis=1), 0, 1)
    return [
        (Classification(classes=names), {"scores": scores.astype(np.float32)}),
        (Anomaly(AnomalySettings(threshold=0.8)), {"anomaly": anomalous + RNG.normal(size=N), "anomalous": anomalous}),
        (Regression(), {"values": values + 0.3 * RNG.normal(size=(N, 2)), "targets": values}),
        (
            Segmentation(classes=names[:3]),
            {
                "truth_counts": counts,
                "reference_counts": counts,
                "digest": RNG.integers(0, 255, (N, 32)).astype(np.uint8),
                "copies": np.zeros((N, 2, 4, 4), np.uint8),
            },
        ),
        (Detection(classes=names[:3]), {"detections": found, "objects": truth[:, 1:], "frames": truth[:, 0]}),
        (
            Multilabel(classes=names[:4]),
            {"label_scores": np.clip(0.3 * present + 0.7 * RNG.random((N, 4)), 0, 1), "present": present},
        ),
        (
            Streaming(StreamingSettings(hop=0.5, refractory=0.5), classes=("quiet", "word")),
            {"frame_scores": frames.astype(np.float32), "frame_labels": stream},
        ),
    ]


CASES = cases()
IDS = [task.name for task, _ in CASES]


def samples_of(task: Task) -> ArraySamples:
    kind = Frames if task.name == "streaming" else ArraySamples
    return kind(RNG.integers(0, 255, (N, 8, 8, 3)).astype(np.uint8), LABELS)


def evidence_of(task: Task, kept: dict[str, Any]) -> Evidence:
    evidence = task.evidence(task.stored(kept, samples_of(task)))
    assert evidence is not None
    return evidence


@pytest.mark.parametrize(("task", "kept"), CASES, ids=IDS)
def test_evidence_of_all_samples_gives_the_metrics_that_the_task_tells(task: Task, kept: dict[str, Any]) -> None:
    quality, evidence = task.judge(kept, samples_of(task)), evidence_of(task, kept)
    assert quality.main is not None
    assert evidence.metrics[0].name == quality.main.name
    compared_names = {metric.name for metric in evidence.metrics}
    told = {metric.name: metric for metric in quality.metrics}
    assert set(told) <= compared_names
    for metric in evidence.metrics:
        again = metric.values(np.ones((1, metric.count)))
        assert (metric.name in told) == bool(np.isfinite(again[0])), "what is compared is told, where it is defined"
        if metric.name not in told:
            continue
        assert again == pytest.approx([told[metric.name].value], rel=1e-9)
        assert metric.higher_is_better == told[metric.name].higher_is_better
        assert metric.unit == told[metric.name].unit


@pytest.mark.parametrize(("task", "kept"), CASES, ids=IDS)
def test_a_gate_knows_direction_and_unit_of_each_metric(task: Task, kept: dict[str, Any]) -> None:
    for metric in task.judge(kept, samples_of(task)).metrics:
        assert metric.name in QUALITIES
        assert QUALITIES[metric.name] in (metric.unit, None)
        assert (metric.name in HIGHER) == metric.higher_is_better


@pytest.mark.parametrize(("task", "kept"), CASES, ids=IDS)
def test_a_weight_counts_a_sample_so_often(task: Task, kept: dict[str, Any]) -> None:
    """The metric of samples that are there twice, or not at all, is that of weights 2 and 0."""
    if task.name == "streaming":
        pytest.skip("the frames of a stream are no samples of their own")
    times = np.tile([2, 0, 1], N // 3)
    rows = np.repeat(np.arange(N), times)
    stored = task.stored(kept, samples_of(task))
    whole, drawn = task.evidence(stored), task.evidence({name: array[rows] for name, array in stored.items()})
    assert whole is not None
    assert drawn is not None
    for metric, other in zip(whole.metrics, drawn.metrics, strict=True):
        expected = other.values(np.ones((1, other.count)))
        assert metric.values(times[None, :].astype(float)) == pytest.approx(expected, rel=1e-9, nan_ok=True), (
            metric.name
        )


@pytest.mark.parametrize(("task", "kept"), CASES, ids=IDS)
def test_a_network_is_no_other_than_itself(task: Task, kept: dict[str, Any]) -> None:
    for metric in evidence_of(task, kept).metrics:
        row = compared(metric, metric)
        assert row.change.value == 0 or np.isnan(row.change.a)
        assert not row.different
        if row.change.low is not None and row.change.high is not None:
            # Equal answers for so many samples do not prove that others are answered alike.
            assert row.change.low < 0 < row.change.high, metric.name


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_shares_are_compared_exactly_in_either_direction(pairs: list[tuple[bool, bool]]) -> None:
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    right = compared(share_of("right", a), share_of("right", b))
    lost, gained = int((a & ~b).sum()), int((b & ~a).sum())
    assert (right.change.low, right.change.high) == paired_difference(lost, gained, len(pairs))
    wrong = compared(share_of("wrong", ~a, higher_is_better=False), share_of("wrong", ~b, higher_is_better=False))
    assert wrong.change.low == pytest.approx(-(right.change.high or 0), abs=1e-9)
    assert wrong.wrong == right.wrong == (int((~a).sum()), int((~b).sum()))
    assert wrong.p == right.p


def test_a_share_of_nothing_has_no_interval() -> None:
    none = share_of("right", np.zeros(0, bool))
    assert compared(none, none).change.low is None


def test_one_answer_for_all_samples_and_a_single_sample_prove_nothing() -> None:
    def evidence(answers: Any) -> Evidence:
        metric = mean_of("mae", np.abs(answers), higher_is_better=False)
        return Evidence(truth=np.arange(len(answers)), answers=answers, metrics=(metric,))

    varied, constant = evidence(np.arange(9.0)), evidence(np.ones(9))
    assert why_vacuous([("A", varied), ("B", varied)]) is None
    assert why_vacuous([("A", varied), ("B", constant)]) == "B answers the same for all 9 samples"
    assert why_vacuous([("A", evidence(np.ones(1)))] * 2) == "a single sample was run"


def test_a_task_has_no_evidence_unless_it_says_so() -> None:
    from edgerig.tasks.none import NoTask

    assert NoTask().evidence({"scores": np.zeros((3, 2))}) is None
    assert NoTask().known({"scores": np.zeros((3, 2))}).tolist() == [True] * 3


def test_a_class_that_occurs_nowhere_changes_no_mean() -> None:
    counts = RNG.integers(1, 50, (N, 2, 2)).astype(np.int32)
    wider = np.zeros((N, 3, 3), np.int32)
    wider[:, :2, :2] = counts
    digest = np.arange(N)[:, None]
    values = []
    for classes, part in ((2, counts), (3, wider)):
        task = Segmentation(classes=tuple("abc"[:classes]))
        evidence = task.evidence({"truth_counts": part, "digest": digest})
        assert evidence is not None
        values.append(evidence.metrics[0].values(np.ones((1, N)))[0])
    assert values[0] == pytest.approx(values[1])
