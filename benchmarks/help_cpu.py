"""CPU time of ``edgerig --help``, next to Python alone and to Python with click.

    python benchmarks/help_cpu.py [--json]

CPU time is user and system time of the child, as the kernel accounts it; the three take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

from edgerig.measure.machine import observe

GOAL_S = 0.150
RUNS = 20
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    'python -c "import click"': [sys.executable, "-c", "import click"],
    "edgerig --help": [sys.executable, "-m", "edgerig", "--help"],
}


def cpu_seconds(command: list[str]) -> float:
    """User and system seconds of ``command``."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{' '.join(command)} gave exit code {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each command")
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        cpu_seconds(command)
    for _ in range(options.runs):
        for name, command in COMMANDS.items():
            seconds[name].append(cpu_seconds(command))
    found = {
        name: {"median_s": statistics.median(values), "min_s": min(values), "max_s": max(values)}
        for name, values in seconds.items()
    }
    met = found["edgerig --help"]["median_s"] <= GOAL_S
    state = observe()
    if options.json:
        document = {"goal_s": GOAL_S, "met": met, "results": found, "machine": state.cpu, "runs": options.runs}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        print(f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; CPU ms of {options.runs} runs each")
        print(f"{'command':<28}{'median':>8}{'min':>8}{'max':>8}")
        for name, entry in found.items():
            print(f"{name:<28}" + "".join(f"{entry[key] * 1e3:>8.0f}" for key in ("median_s", "min_s", "max_s")))
        print(f"goal: at most {GOAL_S * 1e3:.0f} ms: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
