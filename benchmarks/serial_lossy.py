"""How long a dataset takes on a serial line that loses bytes.

    python benchmarks/serial_lossy.py [--rate 0.003] [--kind drop] [--json]

A pseudo-terminal whose bytes are lost (or flipped, doubled, inserted) at a given rate, the agent at its other end, and
300 samples of 16 bytes. Results are compared with those of an undisturbed run. What is shown are seconds, requests, and
how often one had to be sent again, for several seeds of the faults.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.agent.serial import SerialAgent
from edgerig.targets.remote.session import WireSession
from edgerig.targets.resolve import target_for
from edgerig.testing import faults
from edgerig.testing.line import Line
from edgerig.wire.lossy import LossyClient
from edgerig.wire.serial import open_serial, parse_serial

SAMPLES = 300
SEEDS = (2, 3, 4, 5)


def measure(folder: Path, kind: str, rate: float, seed: int) -> dict[str, Any]:
    """One run over a line with the faults of ``seed``."""
    artifact = faults.any_artifact(folder)
    inputs = np.random.default_rng(seed).normal(size=(SAMPLES, 4)).astype(np.float32)
    faulty: dict[str, Any] = {kind: rate}
    with Line(seed=seed, **faulty) as line:
        place = parse_serial(f"serial://{line.device}?baud=115200")
        agent = SerialAgent(open_serial(place, place.line()), runtimes=(faults.NAME,))
        serving = threading.Thread(target=agent.serve)
        serving.start()
        target = target_for(f"serial://{line.host}")
        start = time.perf_counter()
        with target.open(artifact, faults.NAME, {}) as session:
            assert isinstance(session, WireSession)
            assert isinstance(session.client, LossyClient)
            opened = time.perf_counter()
            run = session.run([inputs])
            done = time.perf_counter()
            assert np.array_equal(run.outputs[0], inputs * 2), "a wrong result"
            resent = session.client.faults.resent
        target.close()
        agent.stop()
        serving.join()
        return {
            "seed": seed, "open_s": opened - start, "run_s": done - opened, "requests": len(run.round_trips_ns),
            "resent": resent, "faults": line.tried,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=3e-3, help="share of the bytes that are spoiled")
    parser.add_argument("--kind", choices=Line.NAMES, default="drop")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(Path(folder), options.kind, options.rate, seed) for seed in SEEDS]
    if options.json:
        sys.stdout.write(json.dumps({"kind": options.kind, "rate": options.rate, "results": results}, indent=1) + "\n")
        return
    for one in results:
        print(
            f"seed {one['seed']}: opened in {one['open_s']:.1f} s, {SAMPLES} samples in {one['run_s']:.1f} s, "
            f"{one['requests']} requests, {one['resent']} sent again, {one['faults']} bytes spoiled"
        )
    print(f"median {statistics.median(one['run_s'] for one in results):.1f} s")


if __name__ == "__main__":
    main()
