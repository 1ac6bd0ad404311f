"""What TLS adds to one RUN: the same messages in the clear and with TLS 1.3 and certificates on both sides.

    python benchmarks/tls_round_trip.py [--json]

The network of `wire_round_trip` gives its input back after 5 microseconds; one sample a message, in turns: a raw TCP
exchange of the same bytes, an agent without TLS, with TLS, and with a token as well. Needs ``edgerig[secure]``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import wire_round_trip as plain

from edgerig.agent.keys import make_keys
from edgerig.measure.machine import observe
from edgerig.targets.resolve import target_for

SIZES = (1_500, 150_000, 600_000, 2_400_000)
#: The most that a RUN through TLS may take, as a multiple of one in the clear, at the smallest size.
GOAL = 4.0
CLEAR, TLS = "RUN, TCP", "RUN, TLS 1.3"


def measure(size: int, cores: tuple[int, int], rounds: int, folder: Path) -> dict[str, float]:
    """Median seconds of one round trip of ``size`` bytes each way, host and device on the given cores."""
    artifact = plain.an_artifact(folder / "echo.tflite", size, size)
    sample = np.frombuffer(os.urandom(size), np.uint8).reshape(1, size)
    view = [sample.data.cast("B")]
    client_keys = str(folder / "client-host")
    with ExitStack() as stack, plain.on_core(cores[0]):
        ways = {plain.RAW: plain.raw_exchange(stack, size, size, cores)}
        for name, words, settings in (
            (CLEAR, [], {"checksum": False}),
            ("RUN, TCP, CRC-32", [], {}),
            (TLS, ["--tls", str(folder / "agent-localhost")], {"tls": client_keys}),
        ):
            with plain.on_core(cores[1]):
                target = target_for(plain.start_agent(stack, *words), settings)
                stack.callback(target.close)
                session: Any = target.open(artifact, plain.NAME, {"size": size, "answer": size})
            ways[name] = partial(session.client.run, view, 1)
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + 20):
            for name in sorted(ways, reverse=turn % 2 == 1):
                start = time.perf_counter()
                ways[name]()
                if turn >= 20:
                    seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=300, help="round trips by each way")
    options = parser.parse_args()
    usable = sorted(os.sched_getaffinity(0))
    placements = {"one core": (usable[0], usable[0]), "two cores": (usable[0], usable[-1])}
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_keys(folder, ["localhost", "127.0.0.1"], ["host"])
        for title, cores in placements.items():
            for size in SIZES:
                median = measure(size, cores, options.rounds, folder)
                results.append(
                    {"bytes": size, "cores": title, "median_s": median, "ratio": median[TLS] / median[CLEAR]}
                )
    state = observe()
    if options.json:
        document = {"results": results, "machine": state.cpu, "cores": state.cores, "load_1min": os.getloadavg()[0]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        print(f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; us a round trip")
        for entry in results:
            cells = "  ".join(f"{way}: {value * 1e6:,.0f}" for way, value in entry["median_s"].items())
            print(f"{entry['cores']}, {entry['bytes']:>9,} B  {cells}  TLS/clear: {entry['ratio']:.2f}")
    raise SystemExit(0 if all(entry["ratio"] <= GOAL for entry in results if entry["bytes"] == SIZES[0]) else 1)


if __name__ == "__main__":
    main()
