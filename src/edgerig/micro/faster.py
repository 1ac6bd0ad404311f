"""Whether other CPUs have better kernels for layers that portable code runs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgerig.micro.ir import Fused, Node
from edgerig.micro.kernels.registry import kernels_for
from edgerig.micro.options import Options
from edgerig.micro.select import takes

#: One CPU of each family that has kernels of its own, as messages name them.
_FAMILIES = ("cortex-m7", "cortex-m3", "cortex-m0plus", "rv32imc", "simd")


def faster_cpus(nodes: Sequence[Node], options: Options) -> tuple[str, ...]:
    """CPUs of `_FAMILIES` whose own kernels take some of the layers; none where the CPU has kernels of its own."""
    if options.features:
        return ()
    parts = [part for node in nodes for part in ((node, *node.parts) if isinstance(node, Fused) else (node,))]
    return tuple(cpu for cpu in _FAMILIES if _takes_any(parts, msgspec.structs.replace(options, cpu=cpu)))


def _takes_any(nodes: Sequence[Node], options: Options) -> bool:
    own = [kernel for kernel in kernels_for(options) if kernel.needs]
    return any(takes(kernel, node, options) for node in nodes for kernel in own)
