"""Passes over the representation, one file each, in the order in which they run.

What kernels want fused (convolution and pooling, depthwise and pointwise) is fused in `edgerig.micro.select`.
"""

from __future__ import annotations

from collections.abc import Callable

from edgerig.micro.ir import Program
from edgerig.micro.passes.activations import merge_activations
from edgerig.micro.passes.canonical import canonical
from edgerig.micro.passes.dilation import dilate
from edgerig.micro.passes.fold import fold
from edgerig.micro.passes.groups import ungroup
from edgerig.micro.passes.padding import merge_padding
from edgerig.micro.passes.streams import shift_states
from edgerig.micro.passes.tables import merge_tables
from edgerig.micro.passes.unused import drop_unused

PASSES: tuple[Callable[[Program], None], ...] = (
    fold,
    dilate,
    ungroup,
    canonical,
    merge_padding,
    merge_activations,
    merge_tables,
    shift_states,
    drop_unused,
)
