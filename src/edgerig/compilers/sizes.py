"""The size table: the size of each variant of a network, beside the original file."""

from __future__ import annotations

import msgspec

from edgerig.artifact import Artifact


class SizeRow(msgspec.Struct, frozen=True):
    """One row: bytes, times smaller than the original, and the saving as a share of the original.

    ``ratio`` is 1.0 for the original itself, and None for a size of 0, such as a network without constants.
    """

    name: str
    bytes: int
    ratio: float | None
    saving: float


def size_table(original: tuple[str, int], variants: list[tuple[str, int]]) -> list[SizeRow]:
    """Rows for the original and each variant, given as (name, bytes).

    ``ratio = original / bytes`` and ``saving = 1 - bytes / original``; the saving is negative for a file that grew.
    """
    name, size = original
    return [
        SizeRow(name, size, 1.0, 0.0),
        *(SizeRow(variant, count, size / count if count else None, 1 - count / size) for variant, count in variants),
    ]


#: The headings of the table; the first column has none.
HEADINGS = ("", "Size (bytes)", "Ratio", "Saving %")


def size_cells(rows: list[SizeRow]) -> list[tuple[str, str, str, str]]:
    """The table's rows as text, a cell for each of `HEADINGS`; the original has neither ratio nor saving."""
    cells = []
    for index, row in enumerate(rows):
        ratio = "–" if index == 0 or row.ratio is None else f"{row.ratio:.2f}"
        saving = "–" if index == 0 else f"{row.saving:.2%}"[:-1]
        cells.append((row.name, str(row.bytes), ratio, saving))
    return cells


def render_size_table(rows: list[SizeRow]) -> str:
    """The table as aligned text, in the form ``| variant | size (bytes) | ratio | saving % |``."""
    width = max(len(row.name) for row in rows)
    lines = [HEADINGS, *size_cells(rows)]
    return "\n".join(f"{a:{width}}  {b:>12}  {c:>6}  {d:>8}" for a, b, c, d in lines)


def about_mixed_size(artifact: Artifact) -> str:
    """What the reader is told of a mixed network that is not smaller than the float one; empty for any other."""
    record = artifact.origins[-1].options if artifact.origins else {}
    before, layers = record.get("float_bytes"), record.get("float_layers")
    if not isinstance(before, int) or not isinstance(layers, list) or artifact.size < before or before <= 0:
        return ""
    than = "as large as" if artifact.size == before else "larger than"
    if layers:
        those = "1 of its layers is" if len(layers) == 1 else f"{len(layers)} of its layers are"
        cause = f"{those} float32 and as large as before, and conversions between the types come on top"
    else:
        cause = "it has few weights, and the scales that every int8 tensor has take more than these save"
    return (
        f"{artifact.name} is {than} the float network: {artifact.size:,} B against {before:,} B "
        f"({artifact.size / before - 1:+.1%}); {cause}. It saves no memory: take it only if it is faster."
    )
