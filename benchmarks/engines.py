"""What a cell's inference takes beside the bare engine's, each in a process of its own, on a network of about 1 ms.

    python benchmarks/engines.py [--json] [--only ncnn] [--engine openvino=/path/to/venv]

Each round starts, in turns, a process with the bare engine (its own Python interface, timed around its call alone), a
session of the target `local`, and, where an interpreter is named for the engine or edgerig has made an environment for
it, a session there. An engine that is not installed beside edgerig is run bare in that environment, too. The ratio is
taken within a round. Outputs must be equal bit for bit.
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

from edgerig.compilers.base import ModelCompiler
from edgerig.environments.catalogue import environment_of
from edgerig.environments.source import module_path
from edgerig.measure.machine import observe
from edgerig.models.files import open_artifact
from edgerig.plugins import find, make
from edgerig.runtimes.base import Runtime
from edgerig.targets.resolve import target_for
from edgerig.testing.networks import dense_onnx, dense_tflite
from edgerig.testing.networks.ncnn_files import dense_ncnn

GOAL = 1.1
#: Features and classes of the network. The code of IREE and TVM is slow where the weights are beyond the cache.
SIZE, SIZES = (4096, 2048), {"iree": (1024, 512), "tvm": (1024, 256)}
SAMPLES = 200
ROUNDS = 9
#: Runtime, and the suffix of the file that it is given.
ENGINES = {
    "litert": ".tflite",
    "onnxruntime": ".onnx",
    "openvino": ".tflite",
    "ncnn": ".param",
    "mnn": ".mnn",
    "executorch": ".pte",
    "iree": ".vmfb",
    "tvm": ".so",
}

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


def bare_ncnn(path: Path) -> Call:
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.load_param(str(path))
    net.load_model(str(path.with_suffix(".bin")))

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        extractor = net.create_extractor()
        array = ncnn.Mat(sample).clone()
        extractor.input("in0", array)
        start = time.perf_counter_ns()
        _, output = extractor.extract("out0")
        return time.perf_counter_ns() - start, np.array(output.numpy())

    return call


def bare_mnn(path: Path) -> Call:
    import MNN

    interpreter = MNN.Interpreter(str(path))
    session = interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
    source, result = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)
    kind, order = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        source.copyFrom(MNN.Tensor(sample.shape, kind, np.ascontiguousarray(sample), order))
        start = time.perf_counter_ns()
        interpreter.runSession(session)
        elapsed = time.perf_counter_ns() - start
        shape = result.getShape()
        host = MNN.Tensor(shape, kind, np.zeros(shape, np.float32), order)
        result.copyToHostTensor(host)
        return elapsed, np.array(host.getNumpyData()).reshape(shape)

    return call


def bare_executorch(path: Path) -> Call:
    import torch
    from executorch.runtime import Runtime

    # Of the process; the default is a thread for each core.
    Runtime.get()._legacy_module._unsafe_reset_threadpool(1)
    program = Runtime.get().load_program(path)
    method = program.load_method("forward")

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        given = [torch.from_numpy(sample)]
        start = time.perf_counter_ns()
        (output,) = method.execute(given)
        return time.perf_counter_ns() - start, output.numpy().copy()

    return call


def bare_iree(path: Path) -> Call:
    from iree import runtime

    device = runtime.get_device("local-sync")
    context = runtime.SystemContext(config=runtime.Config(device=device))
    # What stands behind the module is not read.
    context.add_vm_module(runtime.VmModule.copy_buffer(context.instance, path.read_bytes()))
    function = context.modules.module["main"]

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        given = runtime.asdevicearray(device, sample)
        start = time.perf_counter_ns()
        result = function(given)
        return time.perf_counter_ns() - start, result.to_host().copy()

    return call


def bare_tvm(path: Path) -> Call:
    import tvm
    from tvm import relax

    function = relax.VirtualMachine(tvm.runtime.load_module(str(path)), tvm.cpu())["main"]

    def call(sample: np.ndarray) -> tuple[int, np.ndarray]:
        given = tvm.runtime.tensor(sample)
        start = time.perf_counter_ns()
        result = function(given)
        return time.perf_counter_ns() - start, result.numpy()

    return call


BARE = {
    "litert": bare_litert,
    "onnxruntime": bare_onnxruntime,
    "openvino": bare_openvino,
    "ncnn": bare_ncnn,
    "mnn": bare_mnn,
    "executorch": bare_executorch,
    "iree": bare_iree,
    "tvm": bare_tvm,
}


def run_bare(engine: str, path: Path, samples: Path, out: Path) -> None:
    """In a process of its own: the times of all samples but the first twenty, and all outputs, to ``out`` (.npz)."""
    call = BARE[engine](path)
    inputs = np.load(samples)
    for sample in inputs[:20]:
        call(sample[None])
    results = [call(sample[None]) for sample in inputs]
    np.savez(out, times=[ns for ns, _ in results], outputs=np.concatenate([output for _, output in results]))


def code_of(code: str) -> str:
    """``code`` with edgerig's source on its path."""
    return f"import sys; sys.path[:0] = {module_path().split(os.pathsep)!r}; {code}"


def run_there(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def bare(engine: str, path: Path, samples: Path, folder: Path, python: str) -> tuple[float, np.ndarray]:
    out = folder / "bare.npz"
    code = code_of(f"import runpy; sys.argv = sys.argv[1:]; runpy.run_path({__file__!r}, run_name='__main__')")
    run_there([python, "-c", code, __file__, "--bare", engine, str(path), str(samples), str(out)])
    with np.load(out) as stored:
        return float(np.median(stored["times"])), stored["outputs"]


def cell(engine: str, path: Path, samples: Path, options: dict[str, Any]) -> tuple[float, np.ndarray]:
    inputs = np.load(samples)
    with target_for("local").open(open_artifact(path), engine, options) as session:
        session.run([inputs[:20]])
        run = session.run([inputs])
    return float(np.median(run.times_ns)), run.outputs[0]


def network_for(engine: str, folder: Path, python: str) -> Path:
    """The network as a file of the engine's."""
    path = folder / f"{engine}{ENGINES[engine]}"
    features, classes = SIZES.get(engine, SIZE)
    if engine in ("mnn", "iree", "tvm"):
        source = open_artifact(dense_onnx(folder / f"{engine}.onnx", features, classes))
        return Path(make("compiler", engine, ModelCompiler).compile(source, folder).path)
    if engine == "executorch":
        # PyTorch is where ExecuTorch is.
        code = "import sys; from pathlib import Path; from edgerig.testing.networks.torch_programs import dense_pt2; "
        code += f"dense_pt2(Path(sys.argv[1]), {features}, {classes})"
        program = folder / "net.pt2"
        run_there([python, "-c", code_of(code), str(program)])
        return Path(make("compiler", engine, ModelCompiler).compile(open_artifact(program), folder).path)
    if engine == "ncnn":
        return dense_ncnn(path, features, classes)
    write = dense_onnx if ENGINES[engine] == ".onnx" else dense_tflite
    return write(path, features, classes)


def compare(engine: str, folder: Path, python: str | None, rounds: int) -> dict[str, Any]:
    """Nanoseconds of an inference in each way, their ratios to the bare one, and whether all outputs are equal."""
    beside = find("runtime", engine, Runtime, keyed=False).missing() is None
    where = sys.executable if beside or python is None else python
    path = network_for(engine, folder, where)
    samples = folder / "samples.npy"
    np.save(samples, np.random.default_rng(0).normal(size=(SAMPLES, SIZES.get(engine, SIZE)[0])).astype(np.float32))
    ways: dict[str, Callable[[], tuple[float, np.ndarray]]] = {
        "bare": lambda: bare(engine, path, samples, folder, where)
    }
    if beside:
        ways["edgerig"] = lambda: cell(engine, path, samples, {})
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
    parser.add_argument("--only", action="append", choices=list(ENGINES), help="this engine; all by default")
    options = parser.parse_args()
    chosen = options.only or list(ENGINES)
    own: dict[str, str] = dict(text.split("=", 1) for text in options.engine)
    for name in chosen:
        if name not in own and (interpreter := environment_of(name)) is not None:
            own[name] = interpreter.executable
    with tempfile.TemporaryDirectory() as folder:
        results = [compare(name, Path(folder), own.get(name), options.rounds) for name in chosen]
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
