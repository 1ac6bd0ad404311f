"""How often intervals between rounds hold the true value: fresh processes of real engines, in turns.

python benchmarks/rounds_coverage.py [--processes 90] [--rounds 5] [--raw FILE.json] [--json]

Each process loads a network, runs it once, warms up, and runs it for 50 ms; the networks take turns. The true value
of a figure is its mean over all processes. A cell of n rounds is any n processes of one network that follow one
another, as in a run; how often its interval holds the mean of all *other* processes is its coverage, of which the
last column takes cells drawn at random, whose processes are not neighbours in time. Beside each stands what one
process's own bootstrap interval, over its samples, covers. Goal: at least 90 %, over all networks, by the interval that
edgerig gives (`edgerig.measure.intervals.t_interval`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from compare_networks import SUBJECTS, Subject, variant

from edgerig.measure.intervals import Interval, hierarchical_bootstrap, order_interval, t_interval
from edgerig.measure.kinds import Measurement
from edgerig.measure.machine import observe
from edgerig.measure.stats import summarize
from edgerig.targets.local import Local

GOAL = 0.90
#: A chain of about 5 us, and one of some 100 us, on each of three engines.
CHOSEN = (SUBJECTS[0], SUBJECTS[2], SUBJECTS[3], SUBJECTS[5], SUBJECTS[6], SUBJECTS[7])
SECONDS, WARM_UP = 0.05, 50
FIGURES = ("median", "mean", "p99", "load", "first", "peak_rss")
METHODS: dict[str, Callable[[list[dict[str, Any]], str], Interval]] = {
    "t": lambda rounds, name: t_interval([entry[name] for entry in rounds]),
    "order": lambda rounds, name: order_interval([entry[name] for entry in rounds]),
}
DRAWS = 1000


def measure(subject: Subject, folder: Path) -> dict[str, Any]:
    """One fresh process: its figures in seconds and bytes, the bounds of its own bootstrap, and some of its times."""
    what = variant(subject, subject.layers, folder)
    target = Local()
    with target.open(what.artifact, what.runtime.use, what.runtime.options) as session:
        first = int(session.run([what.inputs[:1]]).times_ns[0])
        one = float(np.median(session.run([np.resize(what.inputs, (WARM_UP, *what.inputs.shape[1:]))]).times_ns))
        count = int(min(20_000, max(50, SECONDS * 1e9 / one)))
        times = session.run([np.resize(what.inputs, (count, *what.inputs.shape[1:]))]).times_ns * 1e-9
        memory = session.memory()["peak_rss"]
        load = session.load_report.load_seconds
    own = summarize(times)
    return {
        "median": own.median,
        "mean": own.mean,
        "p99": float(np.quantile(times, 0.99)),
        "load": load,
        "first": first * 1e-9,
        "peak_rss": memory.value if isinstance(memory, Measurement) else 0.0,
        "own": [own.low, own.high],
        "times": np.quantile(times, np.linspace(0, 1, 201)).tolist(),
    }


def holds(interval: Interval, value: float) -> bool:
    """Whether ``value`` lies within."""
    return interval.low is not None and interval.high is not None and interval.low <= value <= interval.high


def in_turn(entries: list[dict[str, Any]], name: str, rounds: int, of: Callable[..., Interval]) -> float:
    """Coverage of cells of neighbours."""
    values = np.array([entry[name] for entry in entries])
    starts = range(len(entries) - rounds + 1)
    return float(
        np.mean(
            [holds(of(entries[i : i + rounds], name), np.delete(values, slice(i, i + rounds)).mean()) for i in starts]
        )
    )


def at_random(entries: list[dict[str, Any]], name: str, rounds: int, of: Callable[..., Interval]) -> float:
    """Coverage of cells drawn anyhow."""
    rng, values, hits = np.random.default_rng(0), np.array([entry[name] for entry in entries]), 0
    for _ in range(DRAWS):
        chosen = rng.choice(len(entries), rounds, replace=False)
        hits += holds(of([entries[i] for i in chosen], name), np.delete(values, chosen).mean())
    return hits / DRAWS


def bootstrap(rounds: list[dict[str, Any]], name: str) -> Interval:
    """The hierarchical bootstrap of the median, over 200 quantiles of each round's times."""
    assert name == "median"
    return hierarchical_bootstrap([entry["times"] for entry in rounds], resamples=200)


def until_narrow(entries: list[dict[str, Any]], width: float, fewest: int = 5) -> float:
    """Coverage of ``rounds: auto``, from ``fewest`` rounds until half the interval is within ``width``."""
    values, hits = np.array([entry["median"] for entry in entries]), []
    for start in range(len(entries) - 4 * fewest):
        for end in range(start + fewest, start + 4 * fewest + 1):
            interval = t_interval(values[start:end])
            if (interval.half_width or 0) <= width:
                break
        hits.append(holds(interval, np.delete(values, slice(start, end)).mean()))
    return float(np.mean(hits)) if hits else float("nan")


def rows_of(measured: dict[str, list[dict[str, Any]]], rounds: int) -> list[dict[str, Any]]:
    """Coverage by network and figure."""
    rows = []
    for label, entries in measured.items():
        for name in FIGURES:
            values = np.array([entry[name] for entry in entries])
            row: dict[str, Any] = {
                "network": label, "figure": name, "mean": float(values.mean()),
                "between": float(values.std(ddof=1) / values.mean()),
            }  # fmt: skip
            for method, of in METHODS.items():
                row[method] = in_turn(entries, name, rounds, of)
            row["t at random"] = at_random(entries, name, rounds, METHODS["t"])
            if name == "median":
                row["bootstrap"] = in_turn(entries, name, rounds, bootstrap)
                own = [
                    low <= np.delete(values, i).mean() <= high
                    for i, (low, high) in enumerate(e["own"] for e in entries)
                ]
                row["one process"] = float(np.mean(own))
                row["auto"] = until_narrow(entries, 0.02)
            rows.append(row)
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=90, help="fresh processes of each network")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of a cell")
    parser.add_argument("--raw", type=Path, help="keep what was measured here, or take it from here if it is there")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    if options.raw and options.raw.exists():
        measured = json.loads(options.raw.read_text())
    else:
        measured = {subject.label: [] for subject in CHOSEN}
        with tempfile.TemporaryDirectory(prefix="edgerig-coverage-") as folder:
            for turn in range(options.processes):
                for subject in CHOSEN if turn % 2 else CHOSEN[::-1]:
                    measured[subject.label].append(measure(subject, Path(folder)))
                print(f"{turn + 1} of {options.processes}", end="\r", file=sys.stderr)
        if options.raw:
            options.raw.write_text(json.dumps(measured))
    rows = rows_of(measured, options.rounds)
    total = {name: float(np.mean([row["t"] for row in rows if row["figure"] == name])) for name in FIGURES}
    met = total["median"] >= GOAL
    state = observe()
    if options.json:
        document = {"goal": GOAL, "met": met, "coverage": total, "rows": rows, "machine": state.cpu}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return 0 if met else 1
    print(f"{state.cpu}, {state.cores} cores, load {state.load_1min}")
    for row in rows:
        text = ", ".join(
            f"{key} {row[key]:.0%}"
            for key in (*METHODS, "t at random", "bootstrap", "one process", "auto")
            if key in row
        )
        print(f"{row['network']:26} {row['figure']:9} mean {row['mean']:.4g}, between {row['between']:.1%}: {text}")
    print("t, all networks: " + ", ".join(f"{name} {share:.0%}" for name, share in total.items()))
    print(f"goal: the median's at least {GOAL:.0%}: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
