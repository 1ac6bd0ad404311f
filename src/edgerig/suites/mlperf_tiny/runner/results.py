"""``results.txt`` and ``results.json`` in the words of the official runner, which the official checker reads.

The checker looks for ``Top 1% = N``, ``AUC = N``, ``Median throughput is N inf./sec.`` and ``Median energy cost is N
uJ/inf``, each with text before it but the last. Only a result by the rules is written in these words: the checker takes
such a line for one, whatever stands beside it. Of any other run the reasons come first, and the figures in other words.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from edgerig.datasets.mlperf_tiny.benchmarks import Benchmark
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.suites.mlperf_tiny.runner.records import FileRecord, WindowRecord
from edgerig.suites.mlperf_tiny.runner.samples import Sample
from edgerig.suites.mlperf_tiny.runner.scoring import AUC, TOP1, metric
from edgerig.suites.mlperf_tiny.runner.summary import Summary

_RULE = "-" * 57


def results_text(summary: Summary, now: datetime) -> str:
    """The content of ``results.txt``, with the time ``now`` before each line, as the official runner has it."""
    before = f"{now:%m%d.%H%M%S} ulp-mlperf: "
    lines = [f"No result by the rules: {reason}" for reason in (*summary.invalid, *summary.problems)]
    lines += {"accuracy": _accuracy, "performance": _performance, "energy": _energy}[summary.mode](summary)
    return "".join(f"{before}{line}\n" for line in lines)


def _accuracy(summary: Summary) -> list[str]:
    quality = summary.quality
    lines = []
    top1 = metric(quality, TOP1) if quality else None
    area = metric(quality, AUC) if quality else None
    # More digits than the official runner writes: the checker compares them, and a value just below must stay below.
    counts = _counts(summary)
    if top1 is not None:
        lines.append(f"{'Top 1% =' if counts else 'Top-1 of this run, in percent:'} {100 * top1.value:.4f}")
    if area is not None:
        lines.append(f"{'AUC =' if counts else 'Area under the ROC curve in this run:'} {area.value:.6f}")
    if quality is not None and summary.benchmark == "sww01":
        false, missed, right = (value.value for value in quality.metrics)
        text = f"{right:.0f} True Positives, {missed:.0f} False negatives, {false:.0f} False Positives"
        lines.append(text if counts else f"In this run: {text.lower()}")
    return lines


def _counts(summary: Summary) -> bool:
    """Whether the figures are a result by the rules, which may be written in the checker's words."""
    return summary.by_the_rules and not summary.problems


def _performance(summary: Summary) -> list[str]:
    if isinstance(summary.throughput, Unavailable):
        return [f"No throughput: {summary.throughput.reason}."]
    lines = []
    for number, window in enumerate(summary.windows, 1):
        lines += [
            f"Performance results for window {number}:",
            f"  # Inferences : {window.iterations:>13}",
            f"  Runtime      : {window.seconds:>10.3f} sec.",
            f"  Throughput   : {window.throughput:>10.3f} inf./sec.",
        ]
    text = f"{summary.throughput.value:>10.3f} inf./sec."
    median = f"Median throughput is {text}" if _counts(summary) else f"Throughput of this run, median: {text}"
    return [*lines, _RULE, median, _RULE]


def _energy(summary: Summary) -> list[str]:
    lines = ["Power Edition Output"]
    for number, window in enumerate(summary.windows):
        if window.energy is not None:
            energy = window.energy
            lines += [
                f"Energy data for trial {number}",
                f"  Elapsed time  : {energy.seconds:.6f}",
                f"  Inferences    : {window.iterations}",
                f"  Power         : {1e3 * energy.joules / energy.seconds:5.4f} mW.",
                f"  Total Energy  : {1e6 * energy.joules:.3f} uJ",
                f"  Energy/Inf    : {1e6 * energy.joules / window.iterations:.3f} uJ/inf",
            ]
    if isinstance(summary.energy, Measurement):
        text = f"{1e6 * summary.energy.value:.4f} uJ/inf."
        lines += [
            _RULE,
            f"Median energy cost is {text}" if _counts(summary) else f"Energy cost in this run, median: {text}",
            _RULE,
        ]
    return lines


def accuracy_json(
    benchmark: Benchmark, samples: Sequence[Sample], records: Sequence[FileRecord]
) -> list[dict[str, Any]]:
    """The content of ``results.json`` of an accuracy run: an object for each inference."""
    windowed = benchmark.window_bytes is not None
    rows = []
    for sample, record in zip(samples, records, strict=True):
        for outputs in record.outputs:
            rows.append(
                _row(benchmark, record.file, record.label, "a")
                | {
                    "bytes_to_send": str(sample.window_bytes) if windowed else None,
                    "stride": str(sample.stride_bytes) if windowed else None,
                    "total_length": len(record.outputs) if windowed else None,
                    "infer": {"results": list(outputs), "iterations": 1, "warmups": 0, "total_inferences": 1},
                }
            )
    return rows


def windows_json(benchmark: Benchmark, mode: str, windows: Sequence[WindowRecord]) -> list[dict[str, Any]]:
    """The content of ``results.json`` of a performance or energy run: an object for each window."""
    rows = []
    for window in windows:
        infer = {
            "results": list(window.outputs),
            "iterations": window.iterations,
            "warmups": window.warm_up,
            "total_inferences": 1,
            "elapsed_time": round(window.seconds * 1e6),
            "throughput": window.throughput,
        }
        row = _row(benchmark, window.file, window.label, mode[0]) | {"infer": infer}
        if window.energy is not None:
            row["power"] = {"joules": window.energy.joules, "samples": window.energy.samples}
        rows.append(row)
    return rows


def _row(benchmark: Benchmark, file: str, label: int, mode: str) -> dict[str, Any]:
    return {"file": file, "classes": str(benchmark.label_classes), "class": str(label), "mode": mode}
