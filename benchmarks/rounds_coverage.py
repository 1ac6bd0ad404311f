"""How often intervals between rounds hold the true value: fresh processes of real engines, in turns.

python benchmarks/rounds_coverage.py [--processes 90] [--rounds 5] [--raw FILE.json] [--json]

Each process loads a network, runs it once, warms up, and runs it for 50 ms; the networks take turns. A cell of n rounds
is any n processes of one network. The true value of a figure is what all *other* processes of that network say: their
median for an interval of the median, their mean for one of the mean. `at random`: processes drawn anyhow. `in turn`:
neighbours in time, whose machine may since have changed; no interval of a few seconds can know that. `one process`: the
bootstrap interval over the samples of one process, as edgerig had it before there were rounds. Goal: at least 90 %, by
the interval that edgerig gives (`edgerig.measure.intervals.round_interval`), for each figure over all networks.
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
from numpy.typing import NDArray

from edgerig.engine.compare.pair import Variant
from edgerig.measure.intervals import Interval, hierarchical_bootstrap, order_interval, round_interval, t_interval
from edgerig.measure.kinds import Measurement
from edgerig.measure.machine import observe
from edgerig.measure.stats import summarize
from edgerig.targets.local import Local

GOAL = 0.90
#: A chain of about 5 us, and one of some 100 us, on each of three engines.
CHOSEN = (SUBJECTS[0], SUBJECTS[2], SUBJECTS[3], SUBJECTS[5], SUBJECTS[6], SUBJECTS[7])
SECONDS, WARM_UP = 0.05, 50
FIGURES = ("median", "mean", "p99", "load", "first", "peak_rss")
#: Each interval with what it is of.
METHODS: dict[str, tuple[Callable[[Any], Interval], Callable[[Any], Any]]] = {
    "edgerig": (round_interval, np.median),
    "order": (order_interval, np.median),
    "t": (t_interval, np.mean),
}
DRAWS = 1000


def _repeated(what: Variant, count: int) -> list[NDArray[Any]]:
    """``count`` samples for each input, those that there are over and over."""
    return [np.resize(array, (count, *array.shape[1:])) for array in what.inputs]


def measure(subject: Subject, folder: Path) -> dict[str, Any]:
    """One fresh process: its figures in seconds and bytes, the bounds of its own bootstrap, and some of its times."""
    what = variant(subject, subject.layers, folder)
    target = Local()
    with target.open(what.artifact, what.runtime.use, what.runtime.options) as session:
        first = int(session.run([array[:1] for array in what.inputs]).times_ns[0])
        one = float(np.median(session.run(_repeated(what, WARM_UP)).times_ns))
        count = int(min(20_000, max(50, SECONDS * 1e9 / one)))
        times = session.run(_repeated(what, count)).times_ns * 1e-9
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


def in_turn(values: Any, rounds: int, interval: Callable[[Any], Interval], truth: Callable[[Any], Any]) -> float:
    """Coverage of cells whose processes follow one another."""
    parts = [slice(start, start + rounds) for start in range(len(values) - rounds + 1)]
    return float(np.mean([holds(interval(values[part]), truth(np.delete(values, part))) for part in parts]))


def at_random(values: Any, rounds: int, interval: Callable[[Any], Interval], truth: Callable[[Any], Any]) -> float:
    """Coverage of cells drawn anyhow."""
    rng = np.random.default_rng(0)
    draws = [rng.choice(len(values), rounds, replace=False) for _ in range(DRAWS)]
    return float(np.mean([holds(interval(values[drawn]), truth(np.delete(values, drawn))) for drawn in draws]))


def bootstrap(entries: list[dict[str, Any]], rounds: int) -> float:
    """Coverage in turn of the hierarchical bootstrap of the median, over 200 quantiles of each round's times."""
    medians, hits = np.array([entry["median"] for entry in entries]), []
    for start in range(len(entries) - rounds + 1):
        chosen = [entry["times"] for entry in entries[start : start + rounds]]
        interval = hierarchical_bootstrap(chosen, resamples=200)
        hits.append(holds(interval, np.delete(medians, slice(start, start + rounds)).mean()))
    return float(np.mean(hits))


def until_narrow(values: Any, width: float = 0.02, fewest: int = 5) -> float:
    """Coverage of `rounds: auto`, from ``fewest`` rounds, four times as many at most."""
    hits = []
    for start in range(len(values) - 4 * fewest):
        for end in range(start + fewest, start + 4 * fewest + 1):
            interval = round_interval(values[start:end])
            if (interval.half_width or 0) <= width:
                break
        hits.append(holds(interval, np.median(np.delete(values, slice(start, end)))))
    return float(np.mean(hits)) if hits else float("nan")


def rows_of(measured: dict[str, list[dict[str, Any]]], rounds: int) -> list[dict[str, Any]]:
    """Coverage by network and figure."""
    rows = []
    for label, entries in measured.items():
        for name in FIGURES:
            values = np.array([entry[name] for entry in entries])
            spread = float(np.subtract(*np.quantile(values, [0.9, 0.1])) / np.median(values))
            row: dict[str, Any] = {
                "network": label,
                "figure": name,
                "median": float(np.median(values)),
                "spread": spread,
            }
            for method, (interval, truth) in METHODS.items():
                row[f"{method} in turn"] = in_turn(values, rounds, interval, truth)
                row[f"{method} at random"] = at_random(values, rounds, interval, truth)
            if name == "median":
                row["bootstrap in turn"] = bootstrap(entries, rounds)
                own = enumerate(entry["own"] for entry in entries)
                row["one process"] = float(
                    np.mean([lo <= np.median(np.delete(values, i)) <= hi for i, (lo, hi) in own])
                )
                row["auto in turn"] = until_narrow(values)
            rows.append(row)
    return rows


def totals_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Coverage by figure, the mean of all networks."""
    named = {name: [row for row in rows if row["figure"] == name] for name in FIGURES}
    keys = {
        name: [key for key in same[0] if key not in ("network", "figure", "median")] for name, same in named.items()
    }
    return {name: {key: float(np.mean([row[key] for row in named[name]])) for key in keys[name]} for name in FIGURES}


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
    totals = totals_of(rows)
    met = all(total["edgerig at random"] >= GOAL for total in totals.values())
    state = observe()
    if options.json:
        document = {"goal": GOAL, "met": met, "coverage": totals, "rows": rows, "machine": state.cpu}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return 0 if met else 1
    print(f"{state.cpu}, {state.cores} cores, load {state.load_1min}")
    for row in rows:
        shares = ", ".join(
            f"{key} {value:.0%}" for key, value in row.items() if isinstance(value, float) and key != "median"
        )
        print(f"{row['network']:26} {row['figure']:9} {row['median']:.4g}: {shares}")
    for name, total in totals.items():
        print(f"all {name:9} " + ", ".join(f"{key} {share:.1%}" for key, share in total.items()))
    print(f"goal: each figure's at least {GOAL:.0%} at random: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
