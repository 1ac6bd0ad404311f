"""The plan of a network: layouts of values and working memory of layers, the fastest that the arena has room for.

Layers are fastest with values in a layout of their own and with much working memory. Neither matters to the arena but
where it is fullest: the smallest arena is taken first, with all values plain and all layers thrifty, and then one
after the other is given back what it is faster with, as long as the arena stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edgerig.micro.emit.model import LayerCode
from edgerig.micro.ir import Program, Value
from edgerig.micro.kernels.base import THRIFT, Context
from edgerig.micro.kernels.layouts import PLAIN, layout_bytes
from edgerig.micro.memory.arena import AliasSets, Memory, Step, plan_memory
from edgerig.micro.options import Options
from edgerig.micro.select import Choice

#: Of the arena; what saves less is not worth slower layers.
_WORTH = 1 / 100


@dataclass(frozen=True)
class Variant:
    """How layers are lowered: the layouts of values that are not plain, and how thrifty each layer is."""

    layouts: Mapping[Value, str]
    thrift: tuple[int, ...]


@dataclass(frozen=True)
class Planned:
    """Lowered layers and their memory."""

    layers: list[LayerCode]
    memory: Memory

    @property
    def arena(self) -> int:
        """Bytes."""
        return self.memory.plan.nbytes


@dataclass
class Planner:
    """Lowers and plans variants of one network; layers that two variants have in common are lowered once.

    Attributes:
        program: The network.
        choices: The kernel of each layer.
        options: Of the compilation.
        shared: Values that lie at one address in any case.
    """

    program: Program
    choices: Sequence[Choice]
    options: Options
    shared: AliasSets
    _lowered: dict[tuple[int, int, tuple[str, ...]], LayerCode] = field(default_factory=dict)

    def plan(self, variant: Variant, thorough: bool = True) -> Planned:
        """The layers and the arena of a variant; ``thorough``: with all effort for a small one."""
        layers = [self._layer(index, variant) for index in range(len(self.choices))]
        sizes = {value: layout_bytes(variant.layouts.get(value, PLAIN), value) for value in self._values()}
        steps = [
            Step(
                layer.node,
                layer.context.scratch_bytes,
                (*layer.kernel.overlays(layer.node), *layer.lowered.overlays),
                layer.lowered.accesses,
            )
            for layer in layers
        ]
        return Planned(layers, plan_memory(self.program, steps, self.shared.copy(), sizes, thorough))

    def _layer(self, index: int, variant: Variant) -> LayerCode:
        choice, thrift = self.choices[index], variant.thrift[index]
        values = (*choice.node.inputs, *choice.node.outputs)
        key = (index, thrift, tuple(variant.layouts.get(value, PLAIN) for value in values))
        if key not in self._lowered:
            context = Context(choice.node, index, self.options, dict(variant.layouts), thrift)
            lowered = choice.kernel.lower(choice.node, context)
            self._lowered[key] = LayerCode(choice.node, choice.kernel, context, lowered, choice.refusals)
        return self._lowered[key]

    def _values(self) -> list[Value]:
        values = [*self.program.inputs, *self.program.outputs]
        for node in (*self.program.nodes, *(choice.node for choice in self.choices)):
            values += [*node.inputs, *node.outputs]
        return [value for value in dict.fromkeys(values) if not value.constant]


def fastest(planner: Planner, layouts: Mapping[Value, str], ram: int = 0) -> Planned:
    """The fastest plan whose arena has at most ``ram`` bytes; where that is too little, of the smallest arena.

    Args:
        planner: Of the network.
        layouts: Those in which the layers are fastest.
        ram: Bytes.
    """
    count = len(planner.choices)
    fast = Variant(layouts, (0,) * count)
    small = Variant({}, (0,) * count)
    best, least = planner.plan(fast), planner.plan(small)
    limit = max(ram, least.arena)
    if best.arena <= max(limit, least.arena * (1 + _WORTH)):
        return best
    planned = planner.plan(_relaxed(planner, small, layouts, limit))
    return planned if planned.arena <= limit else least


def _relaxed(planner: Planner, small: Variant, layouts: Mapping[Value, str], limit: int) -> Variant:
    """``small`` with all that makes layers faster and keeps the arena within ``limit``."""

    def fits(variant: Variant) -> bool:
        return planner.plan(variant, thorough=False).arena <= limit

    changes: list[Callable[[Variant], Variant]] = []
    for value, layout in layouts.items():
        changes.append(lambda now, value=value, layout=layout: Variant({**now.layouts, value: layout}, now.thrift))  # type: ignore[misc]
    for index in range(len(small.thrift)):
        for thrift in range(THRIFT):
            changes.append(lambda now, index=index, thrift=thrift: _with_thrift(now, index, thrift))  # type: ignore[misc]
    return _apply(small, changes, fits)


def _with_thrift(variant: Variant, index: int, thrift: int) -> Variant:
    least = min(variant.thrift[index], thrift)
    return Variant(variant.layouts, (*variant.thrift[:index], least, *variant.thrift[index + 1 :]))


def _apply(
    variant: Variant, changes: Sequence[Callable[[Variant], Variant]], fits: Callable[[Variant], bool]
) -> Variant:
    """All changes together if that fits, else those of each half: most layers lie far from where memory is short."""
    if not changes:
        return variant
    tried = variant
    for change in changes:
        tried = change(tried)
    if tried == variant or fits(tried):
        return tried
    if len(changes) == 1:
        return variant
    middle = len(changes) // 2
    return _apply(_apply(variant, changes[:middle], fits), changes[middle:], fits)
