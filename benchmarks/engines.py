"""What a cell's inference takes beside the bare engine's, each in a process of its own, on a network of about 1 ms.

    python benchmarks/engines.py [--json] [--engine openvino=/path/to/venv]

Each round starts, in turns, a process with the bare engine (its own Python interface, timed around its call alone), a
session of the target `local`, and, where an interpreter is named for the engine or edgerig has made an environment for
it, a session there. The ratio is taken within a round. Outputs must be equal bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgerig.environments.catalogue import environment_of
from edgerig.measure.machine import observe
from edgerig.models.files import open_artifact
from edgerig.targets.resolve import target_for
from edgerig.testing.networks import dense_onnx, dense_tflite

GOAL = 1.1
FEATURES, CLASSES = 4096, 2048
SAMPLES = 200
ROUNDS = 9
#: Runtime, and the suffix of the file that it is given.
ENGINES = {"litert": ".tflite", "onnxruntime": ".onnx", "openvino": ".tflite"}

Call = Callable[[np.ndarray], tuple[int, np.ndarray]]


def bare_litert(path: Path) -> Call:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        interpreter.set_tensor(source, sample)
        start = time.perf_counter_ns()
        interpreter.invoke()
        return time.perf_counter_ns() - start, interpreter.get_tensor(result)

    return call


def bare_onnxruntime(path: Path) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        start = time.perf_counter_ns()
        (output,) = session.run(None, {name: sample})
        return time.perf_counter_ns() - start, output

    return call


def bare_openvino(path: Path) -> Call:
    import openvino

    properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = openvino.Core().compile_model(str(path), "CPU", properties).create_infer_request()

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        start = time.perf_counter_ns()
        result = request.infer({0: sample})
        return time.perf_counter_ns() - start, result[0]

    return call


BARE = {"litert": bare_litert, "onnxruntime": bare_onnxruntime, "openvino": bare_openvino}


def run_bare(engine: str, path: Path, samples: Path, out: Path) -> None:
    """In a process of its own: the times of all samples but the first twenty, and all outputs, to ``out`` (.npz)."""
    call = BARE[engine](path)
    inputs = np.load(samples)
    for sample in inputs[:20]:
        call(sample[None])
    results = [call(sample[None]) for sample in inputs]
    np.savez(out, times=[ns for ns, _ in results], outputs=np.concatenate([output for _, output in results]))


def bare(engine: str, path: Path, samples: Path, folder: Path) -> tuple[float, np.ndarray]:
    out = folder / "bare.npz"
    command = [sys.executable, __file__, "--bare", engine, str(path), str(samples), str(out)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    with np.load(out) as stored:
        return float(np.median(stored["times"])), stored["outputs"]


def cell(engine: str, path: Path, samples: Path, options: dict[str, Any]) -> tuple[float, np.ndarray]:
    inputs = np.load(samples)
    with target_for("local").open(open_artifact(path), engine, options) as session:
        session.run([inputs[:20]])
        run = session.run([inputs])
    return float(np.median(run.times_ns)), run.outputs[0]


def compare(engine: str, folder: Path, python: str | None, rounds: int) -> dict[str, Any]:
    """Nanoseconds of an inference in each way, their ratios to the bare one, and whether all outputs are equal."""
    make = dense_onnx if ENGINES[engine] == ".onnx" else dense_tflite
    path = make(folder / f"{engine}{ENGINES[engine]}", FEATURES, CLASSES)
    samples = folder / "samples.npy"
    np.save(samples, np.random.default_rng(0).normal(size=(SAMPLES, FEATURES)).astype(np.float32))
    ways: dict[str, Callable[[], tuple[float, np.ndarray]]] = {
        "bare": lambda: bare(engine, path, samples, folder),
        "edgerig": lambda: cell(engine, path, samples, {}),
    }
    if python is not None:
        ways["edgerig, own interpreter"] = lambda: cell(engine, path, samples, {"python": python})
    times: dict[str, list[float]] = {name: [] for name in ways}
    outputs = []
    for turn in range(rounds):
        for name in list(ways) if turn % 2 == 0 else list(ways)[::-1]:
            ns, output = ways[name]()
            times[name].append(ns)
            outputs.append(output)
    return {
        "engine": engine,
        "equal": all(np.array_equal(output, outputs[0]) for output in outputs),
        "ways": {
            name: {
                "median_ns": statistics.median(values),
                "ratio": statistics.median(own / base for own, base in zip(values, times["bare"], strict=True)),
            }
            for name, values in times.items()
        },
    }


def main() -> int:
    if sys.argv[1:2] == ["--bare"]:
        run_bare(sys.argv[2], *map(Path, sys.argv[3:6]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="processes of each way")
    parser.add_argument("--engine", action="append", default=[], metavar="NAME=FOLDER", help="its own interpreter")
    options = parser.parse_args()
    own: dict[str, str] = dict(text.split("=", 1) for text in options.engine)
    for name in ENGINES:
        if name not in own and (interpreter := environment_of(name)) is not None:
            own[name] = interpreter.executable
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(name, Path(folder), own.get(name), options.rounds) for name in ENGINES]
    ratios = [way["ratio"] for entry in results for name, way in entry["ways"].items() if name != "bare"]
    met = max(ratios) <= GOAL and all(entry["equal"] for entry in results)
    state = observe()
    if options.json:
        document = {"goal": GOAL, "met": met, "results": results, "machine": state.cpu, "cores": state.cores}
        sys.stdout.write(json.dumps(document | {"load_1min": os.getloadavg()[0]}, indent=1) + "\n")
        return 0 if met else 1
    print(f"{state.cpu}, {state.cores} cores, load {os.getloadavg()[0]:.1f}; {options.rounds} rounds of {SAMPLES}")
    for entry in results:
        for name, way in entry["ways"].items():
            print(f"{entry['engine']:<12}{name:<26}{way['median_ns'] / 1000:>9.1f} us{way['ratio']:>7.2f}")
        print(f"{'':<12}outputs equal: {'yes' if entry['equal'] else 'NO'}")
    print(f"goal: at most {GOAL} times, outputs equal: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
