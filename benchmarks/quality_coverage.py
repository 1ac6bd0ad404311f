"""How often the interval of a quality's change holds the true change, and how often a network is told from its equal.

    python benchmarks/quality_coverage.py [--draws N] [--samples N ..] [--only METRIC ..] [--json]

Two networks answer samples of a population whose true difference is known, from so many samples that its own error
is small. Each draw is a test split: the tasks' evidence of it is compared as `edgerig compare` does. Beside it stands
what scipy.stats.bootstrap (BCa, paired) makes of the same samples, where the metric is a mean. Under "equal" the two
networks are exchangeable, so that every verdict of better or worse is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from edgerig.tasks.anomaly import Anomaly
from edgerig.tasks.base import Task
from edgerig.tasks.box_truth import Frame, ImageBoxes, pack
from edgerig.tasks.classification import Classification
from edgerig.tasks.detection import Detection
from edgerig.tasks.evidence import compared
from edgerig.tasks.multilabel import Multilabel
from edgerig.tasks.regression import Regression
from edgerig.tasks.segmentation import Segmentation

Stored = dict[str, Any]
Pair = tuple[Stored, Stored]
#: Coverage that is promised, and what is let pass for the error of so many draws and of so few samples.
GOAL, TOLERATED = 0.95, 0.925
#: Samples of the populations whose difference counts as true.
POPULATION = 40_000


def regression(n: int, rng: np.random.Generator, worse: float, *, heavy: bool = False, rare: float = 1.0) -> Pair:
    targets = rng.normal(size=(n, 1))
    error = rng.standard_t(3, (n, 1)) if heavy else rng.normal(size=(n, 1))
    other = rng.normal(size=(n, 1)) * 0.4
    moved = rng.random((n, 1)) < rare
    first = targets + 0.4 * error + 0.2 * rng.normal(size=(n, 1)) * (rare == 1)
    second = first + moved * (1 + worse) * other if rare < 1 else targets + (0.4 + worse) * error + 0.2 * other / 0.4
    return {"values": first, "targets": targets}, {"values": second, "targets": targets}


def anomaly(n: int, rng: np.random.Generator, worse: float, *, share: float = 0.3) -> Pair:
    labels = (rng.random(n) < share).astype(np.int64)
    common = rng.normal(size=n)
    scores = [labels * (1.5 - lost) + 0.8 * common + 0.6 * rng.normal(size=n) for lost in (0.0, worse * 3)]
    return {"anomaly": scores[0], "anomalous": labels}, {"anomaly": scores[1], "anomalous": labels}


def segmentation(n: int, rng: np.random.Generator, worse: float) -> Pair:
    sizes = rng.gamma(2.0, 200.0, (n, 4)).astype(np.int64) + 1
    hard = rng.beta(2, 8, (n, 4))
    sides = []
    for lost in (0.0, worse):
        counts = np.zeros((n, 4, 4), np.int64)
        wrong = rng.binomial(sizes, np.clip(hard + lost / 4 + 0.05 * rng.normal(size=(n, 4)), 0, 1))
        for label in range(4):
            counts[:, label, label] = sizes[:, label] - wrong[:, label]
            counts[:, label, (label + 1) % 4] = wrong[:, label]
        sides.append({"truth_counts": counts, "digest": rng.integers(0, 255, (n, 32))})
    return sides[0], sides[1]


def detection(n: int, rng: np.random.Generator, worse: float) -> Pair:
    frame, most = Frame(1, 1, 0, 0, 200, 200, 200, 200), 3
    numbers = rng.integers(1, most + 1, n)
    images = [
        ImageBoxes(
            np.concatenate([60.0 * np.arange(k)[:, None], rng.uniform(0, 100, (k, 1)), rng.uniform(25, 50, (k, 2))], 1),
            rng.integers(0, 3, k),
        )
        for k in numbers
    ]
    truth = pack([frame] * n, images, most)
    hard = rng.random((n, most))
    there = truth[:, 1:, 7] > 0
    sides = []
    for lost in (0.0, worse):
        noise = (1 + 6 * hard + 8 * lost)[..., None] * rng.normal(0, 0.7, (n, most, 4))
        found = np.full((n, 2 * most, 6), -1.0)
        found[:, :most, :4] = truth[:, 1:, :4] + noise
        found[:, :most, 4] = np.clip(1 - hard + 0.2 * rng.normal(size=(n, most)), 0.01, 1)
        found[:, :most, 5] = np.where(there & (rng.random((n, most)) > 0.1 + lost / 2), truth[:, 1:, 4], -1)
        found[:, most:, :4] = rng.uniform(20, 60, (n, most, 4))
        found[:, most:, 4] = 0.4 * rng.random((n, most))
        found[:, most:, 5] = np.where(rng.random((n, most)) < 0.3, rng.integers(0, 3, (n, most)), -1)
        sides.append({"detections": found.astype(np.float32), "objects": truth[:, 1:], "frames": truth[:, 0]})
    return sides[0], sides[1]


def multilabel(n: int, rng: np.random.Generator, worse: float) -> Pair:
    present = (rng.random((n, 4)) < [0.5, 0.3, 0.2, 0.1]).astype(np.int8)
    common = rng.normal(size=(n, 4))
    sides = [
        {"label_scores": 0.5 + 0.25 * ((present - 0.5) * (2 - lost * 4) + common + 0.6 * rng.normal(size=(n, 4))),
         "present": present}
        for lost in (0.0, worse)
    ]  # fmt: skip
    return sides[0], sides[1]


def classification(n: int, rng: np.random.Generator, worse: float) -> Pair:
    labels = rng.integers(0, 5, n)
    common = rng.normal(size=(n, 5))
    sides = []
    for lost in (0.0, worse):
        scores = (2.5 - 6 * lost) * np.eye(5)[labels] + common + 0.6 * rng.normal(size=(n, 5))
        sides.append({"scores": scores, "predictions": scores.argmax(axis=1), "labels": labels})
    return sides[0], sides[1]


Case = tuple[str, str, Task, Callable[[int, np.random.Generator, float], Pair]]
CASES: list[Case] = [
    ("accuracy", "5 classes", Classification(classes=tuple("abcde")), classification),
    ("macro_f1", "5 classes", Classification(classes=tuple("abcde")), classification),
    ("mae", "normal errors", Regression(), regression),
    ("mae", "heavy tails", Regression(), lambda n, rng, worse: regression(n, rng, worse, heavy=True)),
    ("mae", "differs in 1 of 10", Regression(), lambda n, rng, worse: regression(n, rng, worse, rare=0.1)),
    ("rmse", "normal errors", Regression(), regression),
    ("r2", "normal errors", Regression(), regression),
    ("auc", "30 % anomalous", Anomaly(), anomaly),
    ("auc", "10 % anomalous", Anomaly(), lambda n, rng, worse: anomaly(n, rng, worse, share=0.1)),
    ("partial_auc", "30 % anomalous", Anomaly(), anomaly),
    ("mean_iou", "4 classes", Segmentation(classes=tuple("abcd")), segmentation),
    ("map", "boxes of 3 classes", Detection(classes=tuple("abc")), detection),
    ("map", "4 labels", Multilabel(classes=tuple("abcd")), multilabel),
    ("micro_f1", "4 labels", Multilabel(classes=tuple("abcd")), multilabel),
]


def metrics_of(case: Case, pair: Pair) -> tuple[Any, Any]:
    name, _, task, _ = case
    known = [task.known(side) for side in pair]
    both = known[0] & known[1]
    evidence = [task.evidence({key: array[both] for key, array in side.items()}) for side in pair]
    a, b = (each.metric(name) for each in evidence if each is not None)
    return a, b


def true_change(case: Case, worse: float) -> float:
    """Of a population; of costly metrics of several smaller ones."""
    size, many = (2000, 3) if case[1].startswith("boxes") else (POPULATION, 3)
    rng, changes = np.random.default_rng(99), []
    for _ in range(many):
        a, b = metrics_of(case, case[3](size, rng, worse))
        whole = np.ones((1, size))
        changes.append(float(b.values(whole)[0] - a.values(whole)[0]))
    return float(np.mean(changes))


def by_scipy(pair: Pair) -> tuple[float, float]:
    """BCa of the mean difference of absolute errors."""
    stats: Any = import_module("scipy.stats")
    errors = [np.abs(side["values"] - side["targets"])[:, 0] for side in pair]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = stats.bootstrap(
            (errors[1] - errors[0],), np.mean, method="BCa", n_resamples=500, rng=np.random.default_rng(0)
        )
    return found.confidence_interval.low, found.confidence_interval.high


def covered(case: Case, n: int, draws: int) -> dict[str, Any]:
    rng, worse = np.random.default_rng([n, len(case[1])]), 0.05
    truth = true_change(case, worse)
    hits, peers, found, wrong, none, widths = 0, 0, 0, 0, 0, []
    for _ in range(draws):
        pair = case[3](n, rng, worse)
        row = compared(*metrics_of(case, pair))
        if row.change.low is None or row.change.high is None:
            none += 1
        else:
            hits += row.change.low <= truth <= row.change.high
            widths.append(row.change.high - row.change.low)
            found += row.different
        if case[0] == "mae":
            low, high = by_scipy(pair)
            peers += low <= truth <= high
        wrong += compared(*metrics_of(case, case[3](n, rng, 0.0))).different if case[1] != "differs in 1 of 10" else 0
    told = max(1, draws - none)
    return {
        "metric": case[0], "data": case[1], "samples": n, "draws": draws, "true": truth, "covered": hits / told,
        "scipy": peers / draws if case[0] == "mae" else None, "width": float(np.mean(widths)) if widths else None,
        "found": found / told, "equal told apart": wrong / draws, "without interval": none / draws,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--samples", type=int, nargs="+", default=[20, 50, 200, 1000])
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    if not given.json:
        titles = (
            "metric",
            "data",
            "samples",
            "true change",
            "covered",
            "scipy BCa",
            "found",
            "equal, told apart",
            "none",
        )
        print(f"| {' | '.join(titles)} |")
        print("|" + "---|" * 9, flush=True)
    for case in CASES:
        for n in given.samples if not given.only or case[0] in given.only else []:
            rows.append(covered(case, n, given.draws))
            row = rows[-1]
            if not given.json:
                peer = "" if row["scipy"] is None else f"{row['scipy']:.1%}"
                print(
                    f"| {row['metric']} | {row['data']} | {n} | {row['true']:+.4f} | {row['covered']:.1%} | {peer} "
                    f"| {row['found']:.0%} | {row['equal told apart']:.1%} | {row['without interval']:.0%} |",
                    flush=True,
                )
    if given.json:
        print(json.dumps(rows))
    return int(any(row["covered"] < TOLERATED and row["without interval"] < 1 for row in rows))


if __name__ == "__main__":
    sys.exit(main())
