"""A session's page: the quality against its target, the figures, the windows, and what others published."""

from __future__ import annotations

from collections.abc import Iterator

from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS, Benchmark
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.report.quality.views import class_table
from edgerig.report.rendering.view_page import render_views
from edgerig.report.units import show, show_interval
from edgerig.suites.mlperf_tiny.runner.published import published_table
from edgerig.suites.mlperf_tiny.runner.scoring import AUC, TOP1
from edgerig.suites.mlperf_tiny.runner.stream import FALSE_NEGATIVES, FALSE_POSITIVES
from edgerig.suites.mlperf_tiny.runner.summary import Summary
from edgerig.views import Cell, Heading, Matrix, Table, View

#: Metrics that a benchmark asks something of, by the kind of its quality.
_ASKED_FOR = {"top1": (TOP1,), "auc": (AUC,), "events": (FALSE_POSITIVES, FALSE_NEGATIVES)}


def render_report(summary: Summary) -> str:
    """The page as HTML that loads nothing from outside."""
    benchmark = BENCHMARKS[summary.benchmark]
    sentence, outcome = _outcome(summary)
    warnings = [*summary.problems, *(f"No result by the rules: {reason}" for reason in summary.invalid)]
    return render_views(
        f"{benchmark.title}, {summary.mode}",
        "MLPerf Tiny",
        sentence,
        outcome,
        [*warnings, *summary.warnings],
        list(_views(summary, benchmark)),
    )


def sentence_of(summary: Summary) -> str:
    """What came out, in a sentence."""
    return _outcome(summary)[0]


def _outcome(summary: Summary) -> tuple[str, str]:
    quality = summary.quality
    if quality is not None:
        shown = ", ".join(_metric_text(metric.name, metric.value) for metric in quality.metrics) or "no quality"
        if summary.passed is None:
            return f"{shown}. The benchmark asks for {summary.target}.", "inconclusive"
        verdict = "reached" if summary.passed else "missed"
        colour = ("inconclusive" if summary.invalid else "passed") if summary.passed else "regressed"
        return f"{shown}. The target, {summary.target}, is {verdict}.", colour
    figure = summary.energy if summary.mode == "energy" else summary.throughput
    if not isinstance(figure, Measurement):
        return f"No figure: {figure.reason}.", "inconclusive"
    colour = "inconclusive" if summary.problems or summary.invalid else "passed"
    text = _energy_text(figure) if summary.mode == "energy" else f"{figure.value:.3f} inferences a second"
    return f"{text}, {figure.kind}, median of {figure.n} windows.", colour


def _energy_text(figure: Measurement) -> str:
    bounds = ""
    if figure.low is not None and figure.high is not None:
        bounds = f" ({show_interval(figure.low, figure.high, 'J', figure.value)} by the sample rate)"
    return f"{show(figure.value, 'J')} an inference{bounds}"


def _metric_text(name: str, value: float) -> str:
    name = name.replace("true_", "true ").replace("false_", "false ")
    return f"AUC {value:.4f}" if name == AUC else f"top-1 {value:.2%}" if name == TOP1 else f"{value:g} {name}"


def _value_text(name: str, value: float | None) -> str:
    """A metric's value: an area as a number, a share in percent, a count."""
    if value is None:
        return "–"
    return f"{value:.4f}" if name == AUC else f"{value:.2%}" if name == TOP1 else f"{value:g}"


def _views(summary: Summary, benchmark: Benchmark) -> Iterator[View]:
    yield _session(summary, benchmark)
    if summary.quality is not None:
        yield from _quality(summary, benchmark)
    else:
        yield _figures(summary)
        yield _windows(summary)
    published = published_table(benchmark.name)
    if published is not None:
        yield published


def _session(summary: Summary, benchmark: Benchmark) -> Table:
    device = summary.device
    rows: list[tuple[Cell, ...]] = [
        ("benchmark", f"{benchmark.name}, {benchmark.title}"),
        ("device", device.name),
        ("profile", device.profile),
        ("address", summary.address),
        ("files", f"{summary.files:,}"),
        ("finished", summary.finished.replace("T", " ") or "not yet"),
        ("measured by", f"edgerig {summary.edgerig}"),
    ]
    if summary.power:
        rows.append(("power monitor", summary.power))
    if summary.clock is not None:
        drift = summary.clock.drift
        text = f"{drift:+.3%} over {summary.clock.windows} windows" if drift is not None else summary.clock.note
        rows.append(("device's clock against the host's", text))
    return Table("Session", (Heading("what"), Heading("value")), tuple(rows))


def _quality(summary: Summary, benchmark: Benchmark) -> Iterator[View]:
    quality = summary.quality
    assert quality is not None
    rows = tuple(
        (
            metric.name.replace("_", " "),
            *(_value_text(metric.name, value) for value in (metric.value, metric.low, metric.high)),
            benchmark.quality.text if metric.name in _ASKED_FOR[benchmark.quality.metric] else "",
        )
        for metric in quality.metrics
    )
    titles = ("metric", "value", "from", "to", "target")
    yield Table("Quality", tuple(Heading(title) for title in titles), rows)
    yield from class_table(quality)
    if quality.confusion:
        yield Matrix("True class and prediction", benchmark.classes, benchmark.classes, quality.confusion)
    yield from quality.views


def _figures(summary: Summary) -> Table:
    figures: list[tuple[str, Quantity]] = [
        ("throughput", summary.throughput),
        ("latency", summary.latency),
        ("first inference of the session", summary.cold_start),
        ("energy of an inference", summary.energy),
    ]
    if summary.instructions is not None:
        figures.append(("instructions of an inference", summary.instructions))
    rows = tuple(
        (name, figure, figure.method if isinstance(figure, Measurement) else figure.reason) for name, figure in figures
    )
    return Table("Figures", (Heading("what"), Heading("value"), Heading("method, or why there is none")), rows)


def _windows(summary: Summary) -> Table:
    return _energy_windows(summary) if summary.mode == "energy" else _timed_windows(summary)


def _energy_windows(summary: Summary) -> Table:
    headings = (
        Heading("file"),
        Heading("inferences"),
        Heading("warm-up"),
        Heading("length", "s"),
        Heading("energy", "J"),
        Heading("largest error", "J"),
        Heading("mean power", "W"),
        Heading("samples of power"),
    )
    rows = []
    for window in summary.windows:
        energy = window.energy
        figures = (energy.joules, energy.uncertainty, energy.watts, energy.samples) if energy else (None,) * 4
        rows.append((window.file, window.iterations, window.warm_up, window.seconds, *figures))
    return Table("Windows", headings, tuple(rows))


def _timed_windows(summary: Summary) -> Table:
    headings = (
        Heading("file"),
        Heading("inferences"),
        Heading("warm-up"),
        Heading("length", "s"),
        Heading("by the host's clock", "s"),
        Heading("throughput", "1/s"),
    )
    rows = tuple(
        (
            window.file,
            window.iterations,
            window.warm_up,
            window.seconds,
            window.host_seconds,
            window.throughput,
        )
        for window in summary.windows
    )
    return Table("Windows", headings, rows)
