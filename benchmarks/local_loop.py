"""What edgerig's loop costs over a bare interpreter's, for a network of about 5 microseconds.

    python benchmarks/local_loop.py [--json]

Each round times, one after the other, a bare loop of set, invoke and get, and `Runtime.run`, which also checks the
inputs, reads the clock around every inference and joins the outputs; and as a peer the engine's own more convenient
interface, where it has one: LiteRT's signature runner. The ratio is taken within a round, so that
whatever slows the machine slows both. The order alternates from round to round.
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

import numpy as np

from edgerig.measure.machine import observe
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.litert import LiteRt
from edgerig.runtimes.onnxruntime import OnnxRuntime
from edgerig.testing.networks import dense_onnx, dense_tflite

GOAL = 1.5
FEATURES, CLASSES = 512, 256
SAMPLES = 4000
ROUNDS = 21

Loop = Callable[[np.ndarray], list[Any]]


def bare_litert(path: Path) -> Loop:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]

    def loop(samples: np.ndarray) -> list[Any]:
        outputs = []
        for sample in samples:
            interpreter.set_tensor(place, sample)
            interpreter.invoke()
            outputs.append(interpreter.get_tensor(result))
        return outputs

    return loop


def signature_runner(path: Path) -> Loop:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(path), num_threads=1).get_signature_runner()

    def loop(samples: np.ndarray) -> list[Any]:
        return [runner(x=sample)["y"] for sample in samples]

    return loop


def bare_onnxruntime(path: Path) -> Loop:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def loop(samples: np.ndarray) -> list[Any]:
        outputs = []
        for sample in samples:
            outputs.append(session.run(None, {"x": sample}))
        return outputs

    return loop


def compare(runtime: Runtime, path: Path, bare: Loop, peer: Loop | None, rounds: int) -> dict[str, Any]:
    """Seconds a sample of the loops and their ratios to the bare one, in ``rounds`` rounds."""
    runtime.load(path)
    samples = np.random.default_rng(0).normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    single = samples[:, None]
    loops: dict[str, Callable[[], Any]] = {
        "bare": lambda: bare(single),
        "edgerig": lambda: runtime.run([samples]),
    }
    if peer is not None:
        loops["peer"] = lambda: peer(single)
    for loop in loops.values():
        loop()
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds):
        for name in sorted(loops, reverse=turn % 2 == 1):
            start = time.perf_counter()
            loops[name]()
            seconds[name].append((time.perf_counter() - start) / SAMPLES)
    inference = float(np.median(runtime.run([samples]).times_ns)) * 1e-9
    return {
        "runtime": runtime.name,
        "inference_s": inference,
        "rounds": rounds,
        "samples": SAMPLES,
        "loops": {
            name: {"median_s": statistics.median(values), "ratio": spread(values, seconds["bare"])}
            for name, values in seconds.items()
        },
    }


def spread(ours: list[float], bare: list[float]) -> dict[str, float]:
    """Smallest, median and largest ratio of two loops, each within its round."""
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of both loops")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tflite = dense_tflite(Path(folder) / "net.tflite", FEATURES, CLASSES)
        onnx = dense_onnx(Path(folder) / "net.onnx", FEATURES, CLASSES)
        found = [
            compare(LiteRt(), tflite, bare_litert(tflite), signature_runner(tflite), options.rounds),
            compare(OnnxRuntime(), onnx, bare_onnxruntime(onnx), None, options.rounds),
        ]
    state = observe()
    met = all(entry["loops"]["edgerig"]["ratio"]["median"] <= GOAL for entry in found)
    if options.json:
        document = {"goal": GOAL, "met": met, "results": found, "machine": state.cpu, "cores": state.cores}
        sys.stdout.write(json.dumps(document | {"load_1min": os.getloadavg()[0]}, indent=1) + "\n")
    else:
        print(
            f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; us a sample, {SAMPLES} samples a round"
        )
        print(f"{'runtime':<12}{'loop':<10}{'time':>8}{'ratio':>8}{'min':>7}{'max':>7}")
        for entry in found:
            print(f"{entry['runtime']:<12}{'(invoke)':<10}{entry['inference_s'] * 1e6:>8.2f}")
            for name, loop in entry["loops"].items():
                ratio = loop["ratio"]
                print(
                    f"{'':<12}{name:<10}{loop['median_s'] * 1e6:>8.2f}"
                    f"{ratio['median']:>8.2f}{ratio['min']:>7.2f}{ratio['max']:>7.2f}"
                )
        print(f"goal: at most {GOAL} times: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
