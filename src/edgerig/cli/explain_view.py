"""Which kernel runs each layer of generated C, what it takes, and why no better one does: ``--explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edgerig.cli.tables import Column, render_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from edgerig.micro.emit.manifest import Layer, Manifest

COLUMNS = (
    Column("layer"),
    Column("operator", right=False),
    Column("input", right=False, rank=2),
    Column("output", right=False, rank=1),
    Column("MACs"),
    Column("instructions"),
    Column("a MAC"),
    Column("kernel", right=False),
)


def read_manifest(folder: Path) -> Manifest:
    """What lies beside generated C."""
    from edgerig.micro.emit.manifest import Manifest
    from edgerig.micro.emit.source import MANIFEST

    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def counted(folder: Path, manifest: Manifest) -> list[int] | str:
    """Instructions of each layer of generated C, or why they were not counted."""
    from edgerig.errors import EdgerigError
    from edgerig.simulator.layer_counts import COUNTED, count_layers, counts_for

    if not counts_for(manifest.cpu):
        return f"they are counted for {', '.join(COUNTED)}, not for the CPU {manifest.cpu}."
    try:
        return count_layers(folder, manifest)
    except EdgerigError as error:
        return f"{error.message} {error.hint or ''}".strip()


def counted_layers(folder: Path) -> list[dict[str, Any]]:
    """The layers of generated C for ``--json``, each with its instructions, None where they were not counted."""
    manifest = read_manifest(folder)
    counts = counted(folder, manifest)
    each = [None] * len(manifest.layers) if isinstance(counts, str) else counts
    return [
        {**msgspec.to_builtins(layer), "instructions": count}
        for layer, count in zip(manifest.layers, each, strict=True)
    ]


def explanation(manifest: Manifest, counts: list[int] | str, width: int) -> list[str]:
    """Lines of the table of layers, then for each layer the reasons of the better kernels that refused it.

    ``counts``: as `counted` gives them.
    """
    each = [None] * len(manifest.layers) if isinstance(counts, str) else counts
    rows = [_cells(layer, count) for layer, count in zip(manifest.layers, each, strict=True)]
    lines = render_table(COLUMNS, rows, width)
    refused = [line for layer in manifest.layers for line in _reasons(layer)]
    if refused:
        lines += ["", "Better kernels that were asked and refused, and why:", *refused]
    if not manifest.features:
        others = (
            f"others have faster ones for some of these layers: {', '.join(manifest.faster)}"
            if manifest.faster
            else "no CPU has faster ones for these layers"
        )
        lines += ["", f"For the CPU {manifest.cpu} there are only portable kernels; {others}."]
    notes = note_lines(manifest)
    return [*lines, *([""] if notes else []), *notes, "", _method(manifest, counts)]


def note_lines(manifest: Manifest) -> list[str]:
    """What is worth knowing of generated C, a line each."""
    return [f"Note: {note}." for note in manifest.notes]


def _method(manifest: Manifest, counts: list[int] | str) -> str:
    from edgerig.simulator.layer_counts import counted_on

    if isinstance(counts, str):
        return f"Instructions were not counted: {counts}"
    where, cycles = counted_on(manifest.cpu)
    more = " Cycles: edgerig bench NET.tflite --target sim:stm32f746, then its report." if cycles else ""
    return (
        f"{sum(counts):,} instructions, counted on {where} in one inference of random inputs; no time "
        f"follows from them alone.{more}"
    )


def _cells(layer: Layer, count: int | None) -> list[str]:
    shapes = (_shapes(layer.inputs), _shapes(layer.outputs))
    ratio = f"{count / layer.macs:.2f}" if count is not None and layer.macs else "-"
    figures = (f"{layer.macs:,}", "-" if count is None else f"{count:,}", ratio)
    return [str(layer.index), layer.op, *shapes, *figures, layer.kernel]


def _shapes(shapes: Iterable[Sequence[int]]) -> str:
    return ", ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)


def _reasons(layer: Layer) -> list[str]:
    """One line for each reason, with all kernels that gave it."""
    kernels: dict[str, list[str]] = {}
    for refusal in layer.refusals:
        kernels.setdefault(refusal.reason, []).append(refusal.kernel)
    return [f"  layer {layer.index}, {', '.join(names)}: {reason}" for reason, names in kernels.items()]
