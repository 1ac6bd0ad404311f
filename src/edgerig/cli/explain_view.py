"""Which kernel runs each layer of generated C, and why no better one does: ``--explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgerig.cli.tables import Column, render_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edgerig.micro.emit.manifest import Layer, Manifest

COLUMNS = (
    Column("layer"),
    Column("operator", right=False),
    Column("input", right=False, rank=1),
    Column("output", right=False),
    Column("MACs"),
    Column("kernel", right=False),
)


def read_manifest(folder: Path) -> Manifest:
    """What lies beside generated C."""
    import msgspec

    from edgerig.micro.emit.manifest import Manifest
    from edgerig.micro.emit.source import MANIFEST

    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def explanation(manifest: Manifest, width: int) -> list[str]:
    """Lines of the table of layers, then for each layer the reasons of the better kernels that refused it."""
    lines = render_table(COLUMNS, [_cells(layer) for layer in manifest.layers], width)
    refused = [line for layer in manifest.layers for line in _reasons(layer)]
    if refused:
        lines += ["", "Better kernels that were asked and refused, and why:", *refused]
    if not manifest.features:
        lines += [
            "",
            f"For the CPU {manifest.cpu} there are only portable kernels; others, such as cortex-m7, have faster ones.",
        ]
    return [*lines, "", "What each layer takes: edgerig bench NET.tflite --target sim:stm32f746, then its report."]


def _cells(layer: Layer) -> list[str]:
    shapes = (_shapes(layer.inputs), _shapes(layer.outputs))
    return [str(layer.index), layer.op, *shapes, f"{layer.macs:,}", layer.kernel]


def _shapes(shapes: Iterable[Sequence[int]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)


def _reasons(layer: Layer) -> list[str]:
    """One line for each reason, with all kernels that gave it."""
    kernels: dict[str, list[str]] = {}
    for refusal in layer.refusals:
        kernels.setdefault(refusal.reason, []).append(refusal.kernel)
    return [f"  layer {layer.index}, {', '.join(names)}: {reason}" for reason, names in kernels.items()]
