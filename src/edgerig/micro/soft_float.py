"""What floats cost on a processor without an FPU, which a network's size does not show."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.micro.ir import Node
from edgerig.micro.options import Options

#: Features of which each computes floats.
_UNITS = frozenset({"fpu", "mve", "simd"})


def soft_float_note(nodes: Sequence[Node], options: Options) -> str | None:
    """A sentence for the manifest where products of floats are left to the C compiler's library; else None.

    Of CPU ``portable`` nothing is known. Layers without multiply-accumulates, such as a QUANTIZE, are not worth it.
    """
    if not options.features or options.features & _UNITS:
        return None
    every = sum(node.macs for node in nodes)
    floats = sum(node.macs for node in nodes if any(value.dtype == "float32" for value in node.outputs))
    if floats == 0:
        return None
    return (
        f"{floats:,} of {every:,} multiply-accumulates are in float32, and {options.cpu} has no FPU: the C compiler's "
        "library computes them, in some 50 times the instructions of int8 (compiler int8 quantizes neural networks)"
    )
