"""Whether sampling a device's utilisation disturbs the latencies that are measured meanwhile.

    python benchmarks/utilisation.py [--pairs 20] [--json]

A pair is two fresh processes of one network on this machine, both loaded and on one core, that run short chunks in
turns, A B B A; only B samples itself between its requests, as in a run. Networks take turns, and each has as many pairs
in which neither samples. The log ratio of B to A is that of the 10th percentile or the median, the median over chunks;
of the 99th percentile and the mean, over all inferences of the pair. Its interval is made between pairs, as
`edgerig compare` makes it. In a pair B runs for less than half of the time and samples over all of it, so that samples
are more than twice as dense among its inferences as in a run. Goal: the intervals of the 10th percentile and of the
median lie below +2 % for each network.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from compare_networks import SUBJECTS, Subject, variant

from edgerig.artifact import Artifact
from edgerig.engine.compare.pair import Pair, paired_chunks
from edgerig.engine.compare.processes import VariantError, run_pair
from edgerig.measure.comparison import MARGIN, Estimate, estimate, pair_log_ratio
from edgerig.measure.machine import observe
from edgerig.measure.utilisation import Utilisation
from edgerig.targets.base import Session
from edgerig.targets.local import Local

CHOSEN = (SUBJECTS[0], SUBJECTS[2], SUBJECTS[3], SUBJECTS[5], SUBJECTS[7])
FIGURES = ("p10", "p50", "p99", "mean")
JUDGED = ("p10", "p50")


class Sampling(Local):
    """This machine, where the sessions of one artifact sample themselves; ``samples`` has what they told."""

    def __init__(self, sampled: Artifact | None) -> None:
        super().__init__()
        self.sampled = sampled
        self.samples: list[Utilisation] = []

    def open(self, artifact: Artifact, runtime: str, options: Any) -> Session:
        session = super().open(artifact, runtime, options)
        if artifact is self.sampled and session.begin_utilisation():
            close = session.close

            def end() -> None:
                session.close = close  # type: ignore[method-assign]
                entry = session.end_utilisation()
                if isinstance(entry, Utilisation):
                    self.samples.append(entry)
                close()

            session.close = end  # type: ignore[method-assign]
        return session


def log_ratios(pair: Pair) -> dict[str, float]:
    """B to A, by figure."""
    chunks = paired_chunks(pair)
    first, second = (np.concatenate(run.chunks) for run in (pair.first, pair.second))
    return {
        "p10": pair_log_ratio(chunks, 0.1),
        "p50": pair_log_ratio(chunks, 0.5),
        "p99": float(np.log(np.quantile(second, 0.99) / np.quantile(first, 0.99))),
        "mean": float(np.log(second.mean() / first.mean())),
    }


def measure(subject: Subject, sampled: bool, number: int, folder: Path) -> dict[str, Any]:
    """One pair."""
    first, second = (variant(subject, subject.layers, folder) for _ in range(2))
    target = Sampling(second.artifact if sampled else None)
    try:
        pair = run_pair(target, first, second, number)
    finally:
        target.close()
    if sampled != bool(target.samples):
        raise SystemExit(f"{subject.label}: {len(target.samples)} processes sampled themselves")
    inferences = sum(map(len, pair.second.chunks))
    return {
        "subject": subject.label,
        "sampled": sampled,
        "ratios": log_ratios(pair),
        "microseconds": float(np.median(np.concatenate(pair.first.chunks))) / 1e3,
        "inferences": inferences,
        "samples": sum(len(entry.seconds) for entry in target.samples),
        "milliseconds": sum(entry.sampling_seconds for entry in target.samples) * 1e3,
    }


def figures(rows: list[dict[str, Any]], subject: Subject) -> dict[str, Any]:
    """The ratios of a network with their intervals, sampled and not; what the samples took."""
    own = [row for row in rows if row["subject"] == subject.label]
    with_samples = [row for row in own if row["sampled"]]
    table: dict[str, Any] = {
        "microseconds": float(np.median([row["microseconds"] for row in own])),
        "pairs": len(with_samples),
        "samples": sum(row["samples"] for row in with_samples),
        "inferences": sum(row["inferences"] for row in with_samples),
        "milliseconds a sample": sum(row["milliseconds"] for row in with_samples)
        / sum(row["samples"] for row in with_samples),
    }
    for name in FIGURES:
        for sampled in (True, False):
            ratios = [row["ratios"][name] for row in own if row["sampled"] == sampled]
            table[f"{name}{'' if sampled else ', neither sampled'}"] = estimate(ratios)
    return table


def percent(ratio: Estimate) -> str:
    """``+0.12 % (-0.30 to +0.55)``."""
    return f"{ratio.ratio - 1:+.2%} ({ratio.low - 1:+.2%} to {ratio.high - 1:+.2%})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=20, help="pairs of each network, sampled and not")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.pairs):
            for subject in CHOSEN:
                for sampled in (True, False) if number % 2 else (False, True):
                    try:
                        rows.append(measure(subject, sampled, number, Path(folder)))
                    except VariantError as error:
                        print(f"{subject.label}: a pair was lost: {error.message}", file=sys.stderr)
            print(f"{number + 1} of {options.pairs} pairs, load {observe().load_1min}", file=sys.stderr)
    results = {subject.label: figures(rows, subject) for subject in CHOSEN}
    missed = [
        f"{label}, {name}" for label, table in results.items() for name in JUDGED if table[name].high > 1 + MARGIN
    ]
    if options.json:
        plain = {
            label: {name: percent(value) if isinstance(value, Estimate) else value for name, value in table.items()}
            for label, table in results.items()
        }
        print(json.dumps({"results": plain, "missed": missed, "rows": rows}, indent=1))
    else:
        show(results)
        print(f"\nMissed: {'; '.join(missed)}" if missed else "\nAll within the goal.")
    return 1 if missed else 0


def show(results: dict[str, dict[str, Any]]) -> None:
    for neither in (False, True):
        print(f"\n{'Neither sampled' if neither else 'B sampled'}\n")
        print("| network | us | pairs | " + " | ".join(FIGURES) + " | samples, ms each |")
        print("|" + "---|" * (len(FIGURES) + 4))
        for label, table in results.items():
            cells = [percent(table[f"{name}{', neither sampled' if neither else ''}"]) for name in FIGURES]
            cost = "" if neither else f"{table['samples']}, {table['milliseconds a sample']:.2f}"
            print(f"| {label} | {table['microseconds']:.3g} | {table['pairs']} | {' | '.join(cells)} | {cost} |")


if __name__ == "__main__":
    sys.exit(main())
