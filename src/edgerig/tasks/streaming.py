"""Events in a stream of frames, such as wake words: which a network reports, which it misses, and false reports."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import TensorSpec
from edgerig.errors import SpecError
from edgerig.measure.kinds import Unavailable
from edgerig.plugins import Settings
from edgerig.tasks.base import Array, Kept, Reference, Task
from edgerig.tasks.caveats import judge_outputs
from edgerig.tasks.differences import agreement_of, differences
from edgerig.tasks.evidence import ComparedMetric, Evidence, share_of, sums_of, weighted
from edgerig.tasks.judgement import Agreement, MetricValue, Quality
from edgerig.tasks.metrics import wilson_interval
from edgerig.tasks.metrics.events import Fates, Outcome, fates_of, outcome_of, poisson_interval, reports_of, summed
from edgerig.tasks.outputs import check_scores
from edgerig.tasks.samples import LabelledSamples
from edgerig.views import Axis, Curve, Heading, Line, Table, View

HOUR = 3600.0
#: Thresholds of the curve.
THRESHOLDS = 60
#: Stretches of a stream that false accepts are compared by: how often a report's silence fits into one, most of them.
SILENCES, MOST_BLOCKS = 10, 200


class StreamingSettings(Settings, frozen=True, kw_only=True):
    """Settings of ``streaming``."""

    hop: Annotated[float, msgspec.Meta(description="time from one frame to the next, in seconds", gt=0)]
    threshold: Annotated[float, msgspec.Meta(description="score from which on a class is reported")] = 0.5
    refractory: Annotated[
        float, msgspec.Meta(description="time after a report in which nothing is reported, in seconds", ge=0)
    ] = 1.0
    tolerance: Annotated[
        float, msgspec.Meta(description="time after its end up to which an event may be reported, in seconds", ge=0)
    ] = 0.5
    background: Annotated[
        str | tuple[str, ...] | None,
        msgspec.Meta(description="the class, or classes, in which nothing happens; by default the first one"),
    ] = None


class Streaming(Task):
    """Samples are the frames of one stream, or of several one after another, in order. Kept are the scores,
    (n, classes), and the labels, (n,)."""

    name: ClassVar[str] = "streaming"
    summary: ClassVar[str] = "events in a stream of frames, such as wake words: false accepts an hour, false rejects"
    Settings: ClassVar[type[Settings]] = StreamingSettings
    kept: ClassVar[tuple[str, ...]] = ("frame_scores", "frame_labels")
    identity: ClassVar[str] = "frame_scores"
    in_order: ClassVar[bool] = True

    settings: StreamingSettings

    def check(self, outputs: Sequence[TensorSpec], judged: int, batch: int, left_out: Sequence[str] = ()) -> None:
        self._background()
        check_scores(outputs, judged, batch, len(self.classes), self.dataset, left_out)

    def keep(self, predictions: Array, truth: Array, reference: Array | None) -> dict[str, Array]:
        return {"frame_scores": predictions, "frame_labels": np.asarray(truth, np.int64)}

    def judge(self, kept: Kept, samples: LabelledSamples) -> Quality:
        scores, labels = kept["frame_scores"], kept["frame_labels"]
        warnings = judge_outputs(scores, samples)
        known = int((labels >= 0).sum())
        if not known:
            return Quality(samples=0, warnings=(*warnings, "No frame has a label: nothing is judged."))
        edges = _edges(samples.streams, len(scores))
        outcome = self._outcome(scores, labels, edges, self.settings.threshold)
        events = int(outcome.detected.sum() + outcome.missed.sum())
        if not events:
            warnings.append("There is no event in the stream: only false accepts are told.")
        hours = known * self.settings.hop / HOUR
        return Quality(
            samples=known,
            metrics=_metrics(outcome, hours),
            warnings=tuple(warnings),
            views=(self._table(outcome, hours), *self._curve(scores, labels, edges, hours, events)),
        )

    def compare(
        self, kept: Kept, reference: Reference, samples: LabelledSamples, pictures: int
    ) -> Agreement | Unavailable:
        scores, other = kept["frame_scores"], reference.predictions
        difference = differences(scores, reference, samples, "frame")
        if isinstance(difference, Unavailable):
            return difference
        alike = f"frames at which the same class, or none, reaches {self.settings.threshold:g}"
        return agreement_of(difference, reference, self._answers(scores) == self._answers(other), alike)

    def stored(self, kept: Kept, samples: LabelledSamples) -> dict[str, Array]:
        streams = {} if samples.streams is None else {"frame_streams": np.asarray(samples.streams, np.int64)}
        return {**kept, **streams}

    def evidence(self, stored: Kept) -> Evidence | None:
        scores, labels = stored["frame_scores"], stored["frame_labels"]
        edges = _edges(stored.get("frame_streams"), len(scores))
        missed, false = list[bool](), np.zeros(len(scores))
        for start, end in itertools.pairwise(edges):
            fates = self._fates(scores[start:end], labels[start:end])
            missed += [not reported for reported in fates.reported]
            np.add.at(false, [start + report.frame for report in fates.false], 1.0)
        metrics = [self._false_accepts(false, labels >= 0)]
        if missed:
            metrics.insert(0, share_of("false_rejects", missed, higher_is_better=False, noun="events"))
        return Evidence(truth=labels, answers=scores, metrics=tuple(metrics))

    def _fates(self, scores: Array, labels: Array) -> Fates:
        """What becomes of the events and reports of one stream."""
        background, settings = self._background(), self.settings
        reports = reports_of(scores, background, settings.threshold, self._frames(settings.refractory))
        return fates_of(labels, reports, background, self._frames(settings.tolerance))

    def _false_accepts(self, false: Array, known: Array) -> ComparedMetric:
        """False accepts an hour over blocks of frames: a report silences the frames after it, so that single frames are
        no samples. A block is many times as long as that silence."""
        longest = max(1, self._frames(self.settings.refractory + self.settings.tolerance))
        blocks = int(np.clip(len(false) // (SILENCES * longest), 1, MOST_BLOCKS))
        member = np.arange(len(false)) * blocks // max(1, len(false))
        counts, frames = (np.bincount(member, part, blocks) for part in (false, known))
        parts = np.stack([counts, frames * (self.settings.hop / HOUR)], axis=1)

        def rate(sums: Array) -> Array:
            hours: Array = sums[:, 1]
            return np.asarray(np.divide(sums[:, 0], hours, out=np.full(len(sums), np.nan), where=hours > 0))

        name = "false_accepts_per_hour"
        return weighted(
            name, blocks, sums_of(parts, rate), higher_is_better=False, unit="1/h", noun="stretches of the stream"
        )

    def _background(self) -> tuple[int, ...]:
        """The classes in which nothing happens; there is at least one, and one that is none of them."""
        names = self.settings.background
        if names is None:
            return (0,)
        names = (names,) if isinstance(names, str) else names
        for name in names:
            if name not in self.classes:
                raise SpecError(
                    f"Task streaming: background {name!r} is no class of dataset {self.dataset!r}.",
                    f"Its classes: {', '.join(self.classes)}.",
                )
        if not names or len(set(names)) == len(self.classes):
            raise SpecError(
                f"Task streaming: the background is {'every class' if names else 'no class'} of {self.dataset!r}.",
                "Name those in which nothing happens.",
            )
        return tuple(self.classes.index(name) for name in names)

    def _frames(self, seconds: float) -> int:
        """Whole frames within a time; a hair more than a whole number of them is that number."""
        return int(seconds / self.settings.hop + 1e-9)

    def _outcome(self, scores: Array, labels: Array, edges: Sequence[int], threshold: float) -> Outcome:
        """What became of the events of streams that begin and end at ``edges``: of each by itself."""
        background, settings = self._background(), self.settings
        refractory, tolerance = self._frames(settings.refractory), self._frames(settings.tolerance)
        outcomes = []
        for start, end in itertools.pairwise(edges):
            reports = reports_of(scores[start:end], background, threshold, refractory)
            outcomes.append(outcome_of(labels[start:end], reports, background, tolerance, scores.shape[1]))
        return summed(outcomes)

    def _answers(self, scores: Array) -> NDArray[np.int64]:
        """The class that would be reported at each frame if nothing had been before; -1 for none."""
        others = scores.astype(np.float64, copy=True)
        others[:, list(self._background())] = -np.inf
        best = others.argmax(axis=1)
        return np.where(others[np.arange(len(others)), best] >= self.settings.threshold, best, -1)

    def _table(self, outcome: Outcome, hours: float) -> Table:
        settings, background = self.settings, self._background()
        rows = [
            (name, int(outcome.detected[i] + outcome.missed[i]), int(outcome.missed[i]), int(outcome.false[i]))
            for i, name in enumerate(self.classes)
            if i not in background
        ]
        note = (
            f"{hours * HOUR:,.4g} s of frames whose label is known, one in {settings.hop:g} s. Threshold "
            f"{settings.threshold:g}; {settings.refractory:g} s of silence after a report; an event may be reported up "
            f"to {settings.tolerance:g} s after its end. Further reports of events that had one: {outcome.repeated}."
        )
        headings = tuple(Heading(label) for label in ("class", "events", "missed", "reported without an event"))
        return Table("Events", headings, tuple(rows), note)

    def _curve(self, scores: Array, labels: Array, edges: Sequence[int], hours: float, events: int) -> tuple[View, ...]:
        if not events:
            return ()
        others = np.delete(scores, list(self._background()), axis=1).max(axis=1)
        # Most frames are background: the scores that matter are few, and the highest.
        ranks = np.unique(np.geomspace(1, len(others), THRESHOLDS).astype(np.int64)) - 1
        thresholds = np.unique([*np.sort(others)[::-1][ranks], self.settings.threshold])
        points = {(0.0, 1.0)}
        for threshold in thresholds:
            outcome = self._outcome(scores, labels, edges, float(threshold))
            points.add((float(outcome.false.sum()) / hours, float(outcome.missed.sum()) / events))
        x, y = zip(*sorted(points, key=lambda point: (point[0], -point[1])), strict=True)
        axes = Axis("false accepts an hour", "1/h"), Axis("false rejects", "1")
        note = "By threshold; refractory time and tolerance are the same everywhere."
        return (Curve("False rejects over false accepts", *axes, (Line("stream", x, y),), note),)


def _edges(streams: NDArray[np.int64] | None, count: int) -> list[int]:
    """Frames at which streams begin, and the one after the last; the streams' numbers are those of each frame."""
    inner = [] if streams is None else (np.flatnonzero(np.diff(streams)) + 1).tolist()
    return [0, *inner, count]


def _metrics(outcome: Outcome, hours: float) -> tuple[MetricValue, ...]:
    false, missed = int(outcome.false.sum()), int(outcome.missed.sum())
    events = missed + int(outcome.detected.sum())
    metrics = []
    if events:
        share = missed / events
        low, high = wilson_interval(missed, events)
        bounds = min(low, share), max(high, share)
        metrics.append(_metric("false_rejects", share, "1", bounds))
    low, high = poisson_interval(false)
    metrics.append(_metric("false_accepts_per_hour", false / hours, "1/h", (low / hours, high / hours)))
    return tuple(metrics)


def _metric(name: str, value: float, unit: str, bounds: tuple[float, float]) -> MetricValue:
    return MetricValue(name=name, value=value, higher_is_better=False, unit=unit, low=bounds[0], high=bounds[1])
