"""The fastest layers whose constants fit into flash: kernels that take more of it retreat where it buys least speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from edgerig.errors import CompileError
from edgerig.micro.emit.model import LayerCode, plain_constants, share_constants
from edgerig.micro.ir import Program, Value
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.planning import Planned
from edgerig.micro.select import fuse
from edgerig.micro.stages import Compilation, best_plan


def plan_within_flash(program: Program, compilation: Compilation) -> Planned:
    """The best plan, and layers whose constants have at most ``flash`` bytes of the options.

    Layers are left to kernels that take less flash one after the other, first those where a byte
    saves the fewest instructions; then all that is for speed alone. ``program`` is fused by this.

    Raises:
        CompileError: There is none, or none within ``ram``, or no kernel takes some operator.
    """
    flash, nodes = compilation.options.flash, list(program.nodes)
    spared: frozenset[Value] = frozenset()
    while True:
        planned = _planned(program, _without(compilation, spared))
        if flash is None:
            return planned
        layers = share_constants(planned.layers())
        over = constant_bytes(program, layers) - flash
        if over <= 0:
            if spared:
                program.notes.append(f"flash: {len(spared)} layers are slower, since their weights take less so")
            return planned
        more = _cheapest(layers, over)
        if not more:
            break
        spared |= more
        program.nodes[:] = nodes
    if compilation.options.optimize == "speed":
        program.nodes[:] = nodes
        small = msgspec.structs.replace(compilation.options, optimize="size")
        planned = plan_within_flash(program, replace(compilation, options=small))
        program.notes.append("flash: all layers are those of --optimize size")
        return planned
    least = constant_bytes(program, layers)
    raise CompileError(
        f"{program.name} needs {least:,} bytes of flash for its constants at least, and flash is {flash:,}.",
        f"Say flash={least} or more, or leave flash out; code comes on top.",
    )


def constant_bytes(program: Program, layers: Sequence[LayerCode]) -> int:
    """Bytes of all constants in C, which ``layers`` have in common where they can."""
    own = sum(constant.nbytes for layer in layers for constant in layer.context.constants)
    return own + sum(value.nbytes for value in plain_constants(program, layers))


def _without(compilation: Compilation, spared: frozenset[Value]) -> Compilation:
    if not spared:
        return compilation
    kernels: list[Kernel] = [kernel.sparing(spared) for kernel in compilation.kernels]
    return replace(compilation, kernels=kernels)


def _planned(program: Program, compilation: Compilation) -> Planned:
    refusals = fuse(program, compilation.kernels, compilation.options)
    return best_plan(replace(compilation, refusals=refusals))


def _cheapest(layers: Sequence[LayerCode], over: int) -> frozenset[Value]:
    """Weights of layers that would give back ``over`` bytes together, at the least cost in speed."""
    saved: Counter[Value] = Counter()
    for layer in layers:
        saved.update(layer.context.expanded)
    # Layers in bands have their constants in common: they stand at the first one.
    constants = [constant for layer in layers for constant in layer.context.constants]
    extra = {
        weights: max(1, sum(array.nbytes for array in constants if weights in array.stands_for) - weights.nbytes)
        for weights in saved
    }
    chosen: list[Value] = []
    for weights in sorted(saved, key=lambda value: saved[value] / extra[value]):
        if over <= 0:
            break
        chosen.append(weights)
        over -= extra[weights]
    return frozenset(chosen)
