"""How often `edgerig compare` calls the same network different, and how often it finds a slowdown of 5 %.

    python benchmarks/compare_verdicts.py [--null N] [--slower N] [--minutes M] [--out FILE.jsonl] [--json]
    python benchmarks/compare_verdicts.py --read FILE.jsonl
    python benchmarks/compare_verdicts.py --resample FILE.jsonl ..

Null comparisons set a network against itself; the others against the same network with some 5 % more layers, whose
true ratio is estimated from the pairs of all comparisons together. All in pairs of fresh processes, as
`edgerig compare` runs them, engines and sizes in turns, so that whatever else the machine does meets all alike. Every
comparison is a line of the file, with the log ratio of every pair. `--read` tells the table of an earlier run,
`--resample` how this version decides on 2,000 comparisons a network, drawn out of its recorded pairs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from compare_networks import SUBJECTS, Subject, variant

from edgerig.engine.compare.pair import paired_chunks
from edgerig.engine.compare.series import measure_pairs
from edgerig.engine.compare.verdicts import stands, time_verdicts
from edgerig.measure.comparison import LOOK_LEVEL, LOOKS, MARGIN, estimate, judge_ratio, pair_log_ratio
from edgerig.measure.machine import observe
from edgerig.progress import Progress
from edgerig.targets.resolve import target_for

#: Comparisons that may be called different, of those of a network with itself; and that must find 5 %.
NULL_GOAL, FOUND_GOAL = 0.05, 0.95


def compared(subject: Subject, slower: bool, folder: Path) -> dict[str, Any]:
    """One comparison: verdicts, pairs, seconds and the log ratio of each pair."""
    start = time.monotonic()
    variants = (
        variant(subject, subject.layers, folder),
        variant(subject, subject.more if slower else subject.layers, folder),
    )
    target = target_for("local")
    try:
        series = measure_pairs(
            target, variants, LOOKS[-1], lambda pairs: stands(pairs, MARGIN), Progress(), subject.label
        )
    finally:
        target.close()
    verdicts = time_verdicts(series, MARGIN, None)
    return {
        "subject": subject.label, "slower": slower, "seconds": time.monotonic() - start, "lost": series.lost,
        "load": observe().load_1min, "microseconds": (verdicts["latency"].a or 0) * 1e6,
        "verdicts": {name: metric.verdict for name, metric in verdicts.items()},
        "ratios": {
            str(q): [pair_log_ratio(paired_chunks(pair), q) for pair in series.pairs] for q in (0.1, 0.5)
        },
    }  # fmt: skip


def plan(null: int, slower: int) -> Iterator[tuple[Subject, bool]]:
    """Comparisons in turns over all subjects."""
    counts = {False: null, True: slower}
    done = {False: 0, True: 0}
    turn = 0
    while any(done[kind] < counts[kind] for kind in counts):
        for kind in (False, True):
            # In proportion, so that an early end leaves both.
            if done[kind] < counts[kind] and done[kind] * sum(counts.values()) <= turn * counts[kind]:
                yield SUBJECTS[done[kind] % len(SUBJECTS)], kind
                done[kind] += 1
                turn += 1


def tables(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| network | us | comparisons | slower or faster | same | pairs, median | s, median | spread |",
        "|" + "---|" * 8,
    ]
    for slower in (False, True):
        chosen = [row for row in rows if row["slower"] == slower]
        groups = [*dict.fromkeys(row["subject"] for row in chosen)]
        for name in [*groups, "all"] if chosen else []:
            lines.append(_line(name, [row for row in chosen if name in (row["subject"], "all")], slower))
    return lines


def _line(name: str, rows: list[dict[str, Any]], slower: bool) -> str:
    verdicts = [row["verdicts"]["latency"] for row in rows]
    ratios = np.concatenate([row["ratios"]["0.1"] for row in rows])
    spread = np.median([np.std(row["ratios"]["0.1"], ddof=1) for row in rows if len(row["ratios"]["0.1"]) > 1])
    found = sum(v in ("slower", "faster") for v in verdicts)
    more = f" +{np.expm1(np.median(ratios)):.1%}" if slower and name != "all" else " +5 %" if slower else ""
    time_ = f"{np.median([row['microseconds'] for row in rows]):.3g}" if name != "all" else ""
    pairs = np.median([len(row["ratios"]["0.1"]) for row in rows])
    seconds = np.median([row["seconds"] for row in rows])
    return (
        f"| {name}{more} | {time_} | {len(rows)} | {found} ({found / len(rows):.1%}) | {verdicts.count('same')} "
        f"| {pairs:g} | {seconds:.1f} | {spread:.2%} |"
    )


def resampled(rows: list[dict[str, Any]], draws: int = 2000) -> list[str]:
    """Verdicts on comparisons whose pairs are drawn, with replacement, out of those that were recorded of a network."""
    rng = np.random.default_rng(0)
    lines = ["| network | true change | recorded pairs | slower | faster | same | undecided | pairs, median |"]
    lines.append("|" + "---|" * 8)
    total: dict[bool, list[str]] = {False: [], True: []}
    for slower in (False, True):
        for name in dict.fromkeys(row["subject"] for row in rows):
            chosen = [row["ratios"]["0.1"] for row in rows if (row["subject"], row["slower"]) == (name, slower)]
            pairs = np.concatenate(chosen) if chosen else np.zeros(0)
            if pairs.size < LOOKS[-1]:
                continue
            # Of a network against itself either order is as likely.
            signs = np.ones((draws, LOOKS[-1])) if slower else rng.choice([-1.0, 1.0], (draws, LOOKS[-1]))
            decisions = [decided(row) for row in rng.choice(pairs, (draws, LOOKS[-1])) * signs]
            verdicts = [verdict for verdict, _ in decisions]
            total[slower] += verdicts
            shares = _shares(verdicts)
            change = f"{np.expm1(np.median(pairs)):+.1%}" if slower else "0"
            count = np.median([looks for _, looks in decisions])
            lines.append(f"| {name} | {change} | {pairs.size} | {' | '.join(shares)} | {count:g} |")
    for slower, verdicts in total.items():
        if verdicts:
            lines.append(f"| all | {'+5 %' if slower else '0'} | | {' | '.join(_shares(verdicts))} | |")
    return lines


def _shares(verdicts: list[str]) -> list[str]:
    return [f"{verdicts.count(v) / len(verdicts):.1%}" for v in ("slower", "faster", "same", "inconclusive")]


def decided(log_ratios: np.ndarray) -> tuple[str, int]:
    """The verdict on a series of pairs, and after how many."""
    for count in LOOKS:
        verdict = judge_ratio(estimate(log_ratios[:count], LOOK_LEVEL), MARGIN)
        if verdict != "inconclusive":
            return verdict, count
    return "inconclusive", LOOKS[-1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--null", type=int, default=200)
    parser.add_argument("--slower", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--out", type=Path, default=Path("compare_verdicts.jsonl"))
    parser.add_argument("--read", type=Path)
    parser.add_argument("--resample", type=Path, nargs="+")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.resample:
        recorded = [json.loads(line) for path in given.resample for line in path.read_text().splitlines()]
        print("\n".join(resampled(recorded)))
        return 0
    if given.read:
        rows = [json.loads(line) for line in given.read.read_text().splitlines()]
    else:
        rows, deadline = [], time.monotonic() + 60 * given.minutes
        with tempfile.TemporaryDirectory() as folder, given.out.open("a") as file:
            for subject, slower in plan(given.null, given.slower):
                if time.monotonic() > deadline:
                    break
                rows.append(compared(subject, slower, Path(folder)))
                file.write(json.dumps(rows[-1]) + "\n")
                file.flush()
    if given.json:
        print(json.dumps(rows))
    else:
        print("\n".join(tables(rows)))
    different = [row for row in rows if not row["slower"] and row["verdicts"]["latency"] in ("slower", "faster")]
    nulls = sum(not row["slower"] for row in rows)
    missed = [row for row in rows if row["slower"] and row["verdicts"]["latency"] != "slower"]
    slows = sum(row["slower"] for row in rows)
    return int(len(different) > NULL_GOAL * nulls or len(missed) > (1 - FOUND_GOAL) * slows)


if __name__ == "__main__":
    sys.exit(main())
