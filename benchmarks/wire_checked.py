"""What a CRC-32 of each payload adds to a RUN's round trip: checked beside unchecked, by isal and by zlib alone.

    python benchmarks/wire_checked.py [--zlib] [--json]

The same network as in `wire_round_trip`, which answers as many bytes as it gets; one agent, two sessions, over TCP on
this machine. In each round both cross some samples, in turns, and give one ratio: what is shown is the median of these,
and the least and the greatest. With ``--zlib`` the library isal is hidden from host and device.
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
from pathlib import Path
from typing import Any

SIZES = (1_500, 150_000, 600_000, 2_400_000)
#: Times the unchecked exchange that a checked one may take, from `LARGE` bytes on.
GOAL, LARGE = 1.3, 150_000
ROUNDS, TRIPS = 25, 20


def hide_isal(stack: ExitStack) -> None:
    """Let neither this process nor those that it starts have isal."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    Path(folder, "isal.py").write_text("raise ImportError('hidden')\n")
    sys.path.insert(0, folder)


def measure(size: int, cores: tuple[int, int], rounds: int, folder: Path) -> dict[str, float]:
    """Ratios and median seconds of checked and unchecked round trips of ``size`` bytes each way."""
    import numpy as np
    import wire_round_trip as trips

    from edgerig.targets.remote.session import WireSession
    from edgerig.targets.resolve import target_for

    artifact = trips.an_artifact(folder / "echo.tflite", size, size)
    view = [memoryview(os.urandom(size))]
    with ExitStack() as stack, trips.on_core(cores[0]):
        with trips.on_core(cores[1]):
            address = trips.start_agent(stack, "--sessions", "2")
            clients = []
            for checked in (False, True):
                target = target_for(address, {"checksum": checked})
                stack.callback(target.close)
                session = target.open(artifact, trips.NAME, {"size": size, "answer": size})
                assert isinstance(session, WireSession)
                clients.append(session.client)
        for client in clients:
            for _ in range(20):
                client.run(view, 1)
        pairs: list[tuple[float, float]] = []
        for turn in range(rounds):
            seconds: tuple[list[float], list[float]] = ([], [])
            for number in range(2 * TRIPS):
                which = (number + turn) % 2
                start = time.perf_counter()
                clients[which].run(view, 1)
                seconds[which].append(time.perf_counter() - start)
            pairs.append((statistics.median(seconds[0]), statistics.median(seconds[1])))
    ratios = np.array([checked / unchecked for unchecked, checked in pairs])
    return {
        "bytes": size, "unchecked_s": statistics.median(one for one, _ in pairs),
        "checked_s": statistics.median(other for _, other in pairs), "ratio": float(np.median(ratios)),
        "least": float(ratios.min()), "greatest": float(ratios.max()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--zlib", action="store_true", help="as if isal were not installed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of {TRIPS} round trips each way")
    options = parser.parse_args()
    usable = sorted(os.sched_getaffinity(0))
    placements = {"one core": (usable[0], usable[0])} | (
        {"two cores": (usable[0], usable[1])} if len(usable) > 1 else {}
    )
    results: list[dict[str, Any]] = []
    with ExitStack() as stack:
        if options.zlib:
            hide_isal(stack)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for title, cores in placements.items():
            for size in SIZES:
                results.append({"cores": title, **measure(size, cores, options.rounds, folder)})
    from edgerig.measure.machine import observe
    from edgerig.wire.crc import LIBRARY

    if options.json:
        document = {"library": LIBRARY, "machine": observe().cpu, "load_1min": os.getloadavg()[0], "results": results}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        print(f"{observe().cpu}, load {os.getloadavg()[0]:.1f}, CRC-32 by {LIBRARY}")
        for entry in results:
            print(
                f"{entry['cores']}, {entry['bytes']:>9,} B: {entry['unchecked_s'] * 1e6:8.0f} us unchecked, "
                f"{entry['checked_s'] * 1e6:8.0f} checked, ratio {entry['ratio']:.2f} "
                f"({entry['least']:.2f} to {entry['greatest']:.2f})"
            )
    reached = all(entry["ratio"] <= GOAL for entry in results if entry["bytes"] >= LARGE)
    raise SystemExit(0 if reached or options.zlib else 1)


if __name__ == "__main__":
    # The worker imports the network's file as a module, by the path that it is given.
    sys.path.insert(0, str(Path(__file__).parent))
    main()
