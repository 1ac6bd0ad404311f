"""Instructions of each layer of generated C on a Cortex-M7, and the layers that no fast kernel takes.

    python benchmarks/micro_layers.py [--only NETWORK ...] [--layers] [--optimize speed] [--ram KIB]
        [--made numpy] [--official FOLDER] [--json]

Networks of the shapes of published ones, built with Keras and quantized by edgerig's int8 compiler (`micro_keras.py`;
the first run builds them, for some minutes, and keeps them in edgerig's cache), or, with --made numpy, written by numpy
and FlatBuffers, with scales that are drawn; with --official those of MLPerf Tiny itself, too, whose files are in no
package. None but these are trained. Counted on a simulated processor with memory enough for all, as
`edgerig compile --explain` counts; so with float borders and softmax. With --ram the fastest plan in so much memory is
taken instead of the smallest; the first line of the answer says which. Exit code 1 if a goal is missed, or if portable
code runs a convolution, a dense layer, a sum or a product.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import micro_keras
import msgspec
from micro_networks import OFFICIALLY, official_folder, published

from edgerig.boards.toolchain import Choice, find_toolchain
from edgerig.micro import Options, compile_model
from edgerig.micro.emit.manifest import Layer
from edgerig.simulator.layer_counts import count_layers
from edgerig.testing.networks.published_shapes import published_shape

#: Shape, side of the picture, width of those written by numpy.
SHAPES = {
    "FD-MobileNet 0.25 128x128": ("fd_mobilenet", 128, 0.25),
    "FD-MobileNet 0.375 224x224": ("fd_mobilenet", 224, 0.375),
    "MobileNetV1 0.25 224x224": ("mobilenet_v1", 224, 0.25),
    "MobileNetV2 0.35 128x128": ("mobilenet_v2", 128, 0.35),
    "MobileNetV2 0.35 224x224": ("mobilenet_v2", 224, 0.35),
    "MobileNetV1 0.25 96x96": ("mobilenet_v1", 96, 0.25),
    "SqueezeNet 1.1 128x128": ("squeezenet", 128, 1.0),
    "windows of 5x5 and 7x7 96x96": ("large_windows", 96, 0.5),
    "Tiny YOLO LC 192x192": ("yolo_lc", 192, 1.0),
    "YAMNet 256": ("yamnet_256", 64, 1.0),
    "MiniResNetV2 audio": ("miniresnet_v2", 64, 1.0),
}
#: Millions of instructions, KiB of arena; 0 where there is no goal.
GOALS = {
    "ResNet-8 32x32": (0, 45),
    "FD-MobileNet 0.25 128x128": (4.6, 51),
    "FD-MobileNet 0.375 224x224": (30, 207),
    "MobileNetV1 0.25 224x224": (40, 202),
    "MobileNetV2 0.35 128x128": (0, 225),
    "MobileNetV2 0.35 224x224": (75, 687),
    "MobileNetV1 0.25 96x96": (0, 50),
    "SqueezeNet 1.1 128x128": (0, 242),
    "Tiny YOLO LC 192x192": (60, 159),
    "YAMNet 256": (0, 110),
    "MiniResNetV2 audio": (0, 60),
    f"{OFFICIALLY}image_classification": (6.6, 45),
    f"{OFFICIALLY}visual_wake_words": (7.2, 0),
    f"{OFFICIALLY}keyword_spotting": (2.5, 0),
    f"{OFFICIALLY}anomaly_detection": (0.24, 0),
    f"{OFFICIALLY}streaming_wakeword": (0.72, 0),
}
#: Seconds of the processor that a network of 4 MB may take to compile.
PATIENCE = 10
#: What fast kernels must take in int8; a part of a fused layer is enough.
FAST = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "SUB", "MUL"}


class Counted(msgspec.Struct, frozen=True):
    """One network: its layers, and the instructions of each."""

    network: str
    seconds: float
    arena: int
    constants: int
    layers: tuple[Layer, ...]
    instructions: list[int]

    @property
    def total(self) -> int:
        """Instructions of an inference."""
        return sum(self.instructions)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=(), metavar="NETWORK", help="names that begin so")
    parser.add_argument("--layers", action="store_true", help="a row for each layer, too")
    parser.add_argument("--optimize", default="speed", choices=("speed", "size"))
    parser.add_argument("--compiler", default="auto", choices=("auto", "gcc", "ziglang"))
    parser.add_argument("--ram", type=float, metavar="KIB", help="KiB that the arena may have, as --option ram=")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--made", default="keras", choices=("keras", "numpy"), help="what builds the networks")
    official_folder(parser)
    arguments = parser.parse_args()
    rows = []
    for name, make in makers(arguments.made, arguments.official).items():
        if not arguments.only or name.startswith(tuple(arguments.only)):
            print(name, file=sys.stderr)
            rows.append(measure(name, make(), arguments.optimize, arguments.compiler, arguments.ram))
    wrong = [fault for row in rows for fault in faults(row, arguments.optimize)]
    if arguments.json:
        networks = [msgspec.to_builtins(row) for row in rows]
        print(json.dumps({"plan": plan(arguments.ram), "networks": networks, "faults": wrong}, indent=1))
    else:
        shown = rows if arguments.layers else []
        layers = [line for row in shown for line in table(row.network, row.layers, row.instructions)]
        print("\n".join([plan(arguments.ram), "", *summary(rows), *layers, "", *wrong]))
    return 1 if wrong else 0


def makers(made: str, official: Path | None) -> dict[str, Callable[[], bytes]]:
    """What gives each network's file."""
    found: dict[str, Callable[[], bytes]] = {}
    if made == "keras":
        found |= {name: partial(micro_keras.keras_network, name) for name in micro_keras.SHAPES}
    else:
        found |= {name: partial(published_shape, *shape) for name, shape in SHAPES.items()}
    return found | {name: partial(bytes, data) for name, data in published(official).items()}


def measure(name: str, data: bytes, optimize: str, compiler: Choice, kibibytes: float | None) -> Counted:
    """Compile and count."""
    ram = None if kibibytes is None else round(kibibytes * 1024)
    start = time.process_time()
    options = msgspec.convert({"cpu": "cortex-m7", "optimize": optimize, "ram": ram}, Options)
    source = compile_model(data, "net", options)
    seconds = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        source.write(Path(folder) / "c")
        counts = count_layers(Path(folder) / "c", source.manifest, find_toolchain(compiler))
    manifest = source.manifest
    return Counted(name, seconds, manifest.memory.arena, manifest.constant_bytes, manifest.layers, counts)


def faults(row: Counted, optimize: str) -> list[str]:
    """Goals that are missed, and layers that went to portable code, with the reasons of the better kernels."""
    most, arena = GOALS.get(row.network, (0, 0))
    lines = []
    if most and optimize == "speed" and row.total > most * 1e6:
        lines.append(f"missed: {row.network}: {row.total / 1e6:.3f} M instructions, goal {most} M")
    if arena and row.arena > arena * 1024:
        lines.append(f"missed: {row.network}: {row.arena / 1024:.0f} KiB, goal {arena} KiB")
    if row.seconds > PATIENCE:
        lines.append(f"missed: {row.network}: {row.seconds:.1f} s to compile, goal {PATIENCE} s")
    for layer in row.layers:
        if layer.kernel.startswith("portable-") and FAST & set(layer.op.split("+")):
            why = "; ".join(f"{refusal.kernel}: {refusal.reason}" for refusal in layer.refusals)
            lines.append(f"portable: {row.network}, layer {layer.index}, {layer.op}, {layer.kernel}: {why}")
    return lines


def plan(kibibytes: float | None) -> str:
    """Which plan of each network is counted."""
    if kibibytes is None:
        return "Plan: the smallest arena, of layers that are not slower for it (the default)."
    return f"Plan: the fastest within an arena of {kibibytes:g} KiB (--option ram=)."


def summary(rows: list[Counted]) -> list[str]:
    """Markdown, a row for each network."""
    lines = [
        "| network | M MACs | M instructions | a MAC | goal | arena, KiB | goal | constants, KiB | compiled in, s |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        macs = sum(layer.macs for layer in row.layers)
        most, arena = (str(goal or "") for goal in GOALS.get(row.network, (0, 0)))
        figures = (f"{macs / 1e6:.2f}", f"{row.total / 1e6:.4g}", f"{row.total / macs:.2f}", most)
        sizes = (f"{row.arena / 1024:.1f}", arena, f"{row.constants / 1024:.1f}", f"{row.seconds:.1f}")
        lines.append("| " + " | ".join((row.network, *figures, *sizes)) + " |")
    return lines


def table(network: str, layers: Sequence[Layer], instructions: Sequence[int]) -> list[str]:
    """Markdown, a row for each layer."""
    lines = [
        "",
        network,
        "",
        "| layer | input | kernel | MACs | instructions | a MAC |",
        "|---|---|---|---|---|---|",
    ]
    for layer, count in zip(layers, instructions, strict=True):
        each = f"{count / layer.macs:.2f}" if layer.macs else "-"
        shape = "x".join(map(str, layer.inputs[0]))
        lines.append(f"| {layer.op} | {shape} | {layer.kernel} | {layer.macs:,} | {count:,} | {each} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
