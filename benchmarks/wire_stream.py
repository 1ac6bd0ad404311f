"""Samples a second over the wire, with several requests under way, beside the bare loop in one process.

    python benchmarks/wire_stream.py [--json]

A network that gives 1,500 bytes back after 5 microseconds, or after 1 or 5 milliseconds. Its bare loop of set, invoke
and get runs in this process. Over the wire there are two ways: ``Session.run``, which sends as many samples a message
as take 50 ms, and one sample a message, which is what a host does that makes its samples one by one; that one with as
many requests under way as the device grants, and for comparison with a single one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from wire_round_trip import NAME, Echo, EchoSettings, an_artifact, start_agent

from edgerig.measure.machine import observe
from edgerig.targets.remote.session import WireSession
from edgerig.targets.resolve import target_for

SIZE = 1_500
#: Microseconds of an inference -> samples, and what must be reached: a share of the bare loop, or samples a second.
CASES = {5: (20_000, None, 15_000), 1_000: (500, 0.95, None), 5_000: (100, 0.95, None)}
ROUNDS = 5
BARE = "bare loop"
LINKS = {"socket pair": {}, "TCP": {"checksum": False}, "TCP, CRC-32": {"checksum": True}}


def bare_loop(options: dict[str, Any], path: Path, inputs: Any) -> Callable[[], object]:
    """Set, invoke and get, sample by sample."""
    engine = Echo(EchoSettings(**options))
    engine.load(path)
    set_inputs, invoke, get_outputs = engine._calls()

    def run() -> None:
        outputs = []
        for index in range(len(inputs)):
            set_inputs((inputs[index : index + 1],))
            invoke()
            outputs.append(get_outputs()[0])

    return run


def one_by_one(session: WireSession, samples: list[memoryview], window: int | None) -> Callable[[], object]:
    """A message for each sample."""
    return lambda: sum(answer.count for answer in session.client.stream((([one], 1) for one in samples), window))


def measure(micros: int, count: int, rounds: int, folder: Path) -> dict[str, float]:
    """Samples a second by each way, the best of some rounds in which all take turns."""
    options = {"size": SIZE, "answer": SIZE, "busy_ns": micros * 1000}
    artifact = an_artifact(folder / "echo.tflite", SIZE, SIZE)
    inputs = np.random.default_rng(0).integers(0, 256, (count, SIZE), dtype=np.uint8)
    samples = [memoryview(one) for one in inputs]
    with ExitStack() as stack:
        ways: dict[str, Callable[[], object]] = {BARE: bare_loop(options, Path(artifact.path), inputs)}
        for link, settings in LINKS.items():
            target = target_for("local" if link == "socket pair" else start_agent(stack), settings)
            stack.callback(target.close)
            session = target.open(artifact, NAME, options)
            assert isinstance(session, WireSession)
            session.run([inputs[: count // 5]])
            ways[f"Session.run, {link}"] = partial(session.run, [inputs])
            ways[f"a message each, {link}"] = one_by_one(session, samples, None)
            ways[f"one under way, {link}"] = one_by_one(session, samples, 1)
        best = dict.fromkeys(ways, 0.0)
        for turn in range(rounds):
            for name in sorted(ways, reverse=turn % 2 == 1):
                start = time.perf_counter()
                ways[name]()
                best[name] = max(best[name], count / (time.perf_counter() - start))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds in which all ways take turns")
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for micros, (count, share, rate) in CASES.items():
            rates = measure(micros, count, given.rounds, Path(folder))
            goal = rates[BARE] * share if share is not None else float(rate or 0)
            judged = min(rates[f"Session.run, {link}"] for link in LINKS)
            results.append({"us": micros, "samples_per_s": rates, "goal_per_s": goal, "reached": judged >= goal})
    state = observe()
    if given.json:
        document = {"results": results, "machine": state.cpu, "cores": state.cores, "load_1min": os.getloadavg()[0]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        print(f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; samples a second (share of bare)")
        print(f"{'an inference takes':<28}" + "".join(f"{entry['us']:>15,} us" for entry in results))
        for name in results[0]["samples_per_s"]:
            cells = []
            for entry in results:
                rates = entry["samples_per_s"]
                cells.append(f"{rates[name]:,.0f} ({rates[name] / rates[BARE]:.3f})")
            print(f"{name:<28}" + "".join(f"{cell:>18}" for cell in cells))
    raise SystemExit(0 if all(entry["reached"] for entry in results) else 1)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
