"""The plan of a network: layouts of values and working memory of layers, the fastest that the arena has room for.

Layers are fastest with values in a layout of their own and with much working memory. Neither matters to the arena but
where it is fullest: the smallest arena is taken first, with all values plain and all layers thrifty, and then one
after the other is given back what it is faster with, as long as the arena stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from edgerig.micro.emit.model import LayerCode
from edgerig.micro.ir import Node, Program, Value
from edgerig.micro.kernels.access import NOTHING, Access, Lead
from edgerig.micro.kernels.base import THRIFT, Context, Kernel
from edgerig.micro.kernels.layouts import PLAIN, layout_bytes
from edgerig.micro.memory.aliases import AliasSets
from edgerig.micro.memory.arena import Lives, Memory, Step, lives_of, plan_memory
from edgerig.micro.memory.planner import least_bytes
from edgerig.micro.options import Options
from edgerig.micro.passes.bands import Stage
from edgerig.micro.select import Choice

#: Of the arena; what saves less is not worth slower layers.
_WORTH = 1 / 100
#: Of the arena; for so much layers are made mildly thrifty, which costs a few per cent of them.
_MILD = 1 / 20
#: Layers that are tried from their end one by one, at most and at least, and those of all the plans that this takes:
#: more would take time that grows with the network's square.
_TURNED, _TURNED_AT_LEAST, _PLANNED = 48, 2, 20_000
#: Layers of all the plans by which faster layers are tried, likewise: those that come after stay as they are.
_RELAXED = 250_000


@dataclass(frozen=True)
class Variant:
    """How layers are lowered: the layouts of values that are not plain, how thrifty each layer is, and which layers
    are made from their end."""

    layouts: Mapping[Value, str]
    thrift: tuple[int, ...]
    backward: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Needs:
    """What a lowered layer is to the planner; constants and C are made for the plan that is chosen alone."""

    scratch: int
    overlays: tuple[tuple[Value, Value], ...]
    accesses: tuple[Lead, ...]
    reversible: bool


#: By node, kernel, thrift, whether from the end, and layouts of its values.
Known = dict[tuple[Node, Kernel, int, bool, tuple[str, ...]], Needs]


@dataclass(frozen=True)
class Planned:
    """A variant of a network with its memory; those of ``stages`` are in bands."""

    planner: Planner
    variant: Variant
    memory: Memory

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Layers that go in bands."""
        return self.planner.stages

    @property
    def arena(self) -> int:
        """Bytes."""
        return self.memory.plan.nbytes

    def scratch(self) -> dict[Node, int]:
        """Bytes of working memory of each layer, in their order."""
        needs = self.planner.needs(self.variant)
        return {choice.node: each.scratch for choice, each in zip(self.planner.choices, needs, strict=True)}

    def layers(self) -> Iterator[LayerCode]:
        """The layers as C with their constants, one after the other, made anew by each call."""
        return (self.planner.lower(index, self.variant) for index in range(len(self.planner.choices)))


@dataclass
class Planner:
    """Plans variants of one network.

    Attributes:
        program: The network.
        choices: The kernel of each layer.
        options: Of the compilation.
        shared: Values that lie at one address in any case.
        known: What layers need; planners of one compilation share it.
        stages: Layers that go in bands of rows.
        layouts: Of values that are not plain, where layers are fastest.
    """

    program: Program
    choices: Sequence[Choice]
    options: Options
    shared: AliasSets
    known: Known
    stages: tuple[Stage, ...] = ()
    layouts: Mapping[Value, str] = field(default_factory=dict)
    #: Of the last plan, for what they depend on: variants often differ in the direction of layers alone.
    _lives: tuple[object, Lives] | None = field(default=None, init=False)

    def plan(self, variant: Variant, thorough: bool = True) -> Planned:
        """The arena of a variant; ``thorough``: with all effort for a small one."""
        planned = self.below(variant, None, thorough)
        assert planned is not None
        return planned

    def below(self, variant: Variant, nbytes: int | None, thorough: bool = True) -> Planned | None:
        """The arena of a variant; None may be the answer where none of less than ``nbytes`` was found."""
        needs = self.needs(variant)
        steps = [
            Step(choice.node, each.scratch, each.overlays, each.accesses)
            for choice, each in zip(self.choices, needs, strict=True)
        ]
        stages = [access_of(stage).summary() for stage in self.stages]
        lives = self._lives_of(variant.layouts, steps)
        memory = plan_memory(self.program, steps, lives, thorough, stages, nbytes)
        return None if memory is None else Planned(self, variant, memory)

    def needs(self, variant: Variant) -> list[Needs]:
        """Of each layer."""
        return [self._needs(index, variant) for index in range(len(self.choices))]

    def lower(self, index: int, variant: Variant, only_memory: bool = False) -> LayerCode:
        """One layer as C; ``only_memory``: without its constants."""
        choice, thrift, backward = self.choices[index], variant.thrift[index], index in variant.backward
        spared = choice.kernel.spared
        context = Context(choice.node, index, self.options, dict(variant.layouts), thrift, spared, backward)
        context.only_memory = only_memory
        lowered = choice.kernel.lower(choice.node, context)
        return LayerCode(choice.node, choice.kernel, context, lowered, choice.refusals)

    def _needs(self, index: int, variant: Variant) -> Needs:
        choice, thrift, backward = self.choices[index], variant.thrift[index], index in variant.backward
        node, kernel = choice.node, choice.kernel
        layouts = tuple(variant.layouts.get(value, PLAIN) for value in (*node.inputs, *node.outputs))
        key = (node, kernel, thrift, backward, layouts)
        if key not in self.known:
            layer = self.lower(index, variant, only_memory=True)
            accesses = tuple(access.summary() for access in layer.lowered.accesses)
            overlays = (*kernel.overlays(node), *layer.lowered.overlays)
            reversible = kernel.reversible and any(access.lead > 0 for access in accesses)
            self.known[key] = Needs(layer.context.scratch_bytes, overlays, accesses, reversible)
        return self.known[key]

    def _lives_of(self, layouts: Mapping[Value, str], steps: Sequence[Step]) -> Lives:
        key = frozenset(layouts.items()), tuple(step.overlays for step in steps)
        if self._lives is None or self._lives[0] != key:
            sizes = {value: layout_bytes(layouts.get(value, PLAIN), value) for value in self._values}
            self._lives = key, lives_of(self.program, steps, self.shared.copy(), sizes)
        return self._lives[1]

    @cached_property
    def _values(self) -> list[Value]:
        values = [*self.program.inputs, *self.program.outputs]
        for node in (*self.program.nodes, *(choice.node for choice in self.choices)):
            values += [*node.inputs, *node.outputs]
        return [value for value in dict.fromkeys(values) if not value.constant]


def access_of(stage: Stage) -> Access:
    """Bands read what they need of the input before they write to the output."""
    reads = np.array([NOTHING if read == stage.source.nbytes else read for read in stage.reads])
    return Access(stage.output, stage.source, reads, np.array(stage.writes))


def fastest(planner: Planner, plain: int, ram: int | None = None) -> Planned:
    """The fastest plan whose arena has at most ``ram`` bytes, or else the smallest.

    By default it is that of the smallest arena with layers that are not thrifty, or mildly where that saves RAM. If it
    is larger than ``plain``, they are as thrifty as it takes; where that does not help, they are not.

    Args:
        planner: Of the network.
        plain: Bytes of all tensors together.
        ram: Bytes.
    """
    count = len(planner.choices)
    plans: list[tuple[Variant, Planned]] = []
    for thrift in range(THRIFT + 1):
        small, planned = _smaller(planner, Variant({}, (thrift,) * count))
        plans.append((small, planned))
        if planned.arena <= (plain if ram is None else ram):
            break
    else:
        small, planned = plans[0] if ram is None else min(plans, key=lambda plan: plan[1].arena)
    if ram is None and not any(small.thrift):
        small, planned = _mild(planner, small, planned)
        limit = _worth(planned.arena)
    else:
        limit = max(_worth(planned.arena), plain) if ram is None else ram
    return _relaxed(planner, planned, small, limit)


def most_thrifty(planner: Planner) -> Planned:
    """The plan of the smallest arena, at any cost."""
    count = len(planner.choices)
    plans = [_smaller(planner, Variant({}, (thrift,) * count))[1] for thrift in range(THRIFT + 1)]
    return min(plans, key=lambda planned: planned.arena)


def _smaller(planner: Planner, variant: Variant) -> tuple[Variant, Planned]:
    """With every layer from its beginning, or with some from their end: what takes the smallest arena.

    Each output that lies over its input begins by its lead before it. In a chain of many such layers the leads add up,
    unless some go the other way.
    """
    best = variant, planner.plan(variant)
    # Layers that can be made from their end, and write before what they still read.
    reversible = [index for index, needs in enumerate(planner.needs(variant)) if needs.reversible]
    # Every other one first: in a chain the output of each lies where the input of the one before it lay.
    alone = sorted(_fullest(best[1].memory, reversible))
    for backward in (reversible[::2], *([index] for index in alone)):
        if best[1].arena <= best[1].memory.plan.lower_bound:
            break
        turned = replace(best[0], backward=best[0].backward.symmetric_difference(backward))
        other = planner.below(turned, best[1].arena)
        if other is not None and other.arena < best[1].arena:
            best = turned, other
    return best


def _fullest(memory: Memory, layers: Sequence[int]) -> Sequence[int]:
    """Of many layers those where most memory is needed: each that is tried costs a plan of the whole network."""
    levels = least_bytes(memory.plan.buffers)
    most = max(_TURNED_AT_LEAST, min(_TURNED, _PLANNED // len(levels)))
    return sorted(layers, key=lambda index: -levels[index])[:most] if len(layers) > most else layers


def _mild(planner: Planner, small: Variant, planned: Planned) -> tuple[Variant, Planned]:
    """Layers of ``small``, whose plan is given, a little thrifty where that saves much of the arena."""
    thrift = tuple(choice.kernel.mild for choice in planner.choices)
    if not any(thrift):
        return small, planned
    mild, milder = _smaller(planner, Variant({}, thrift))
    return (mild, milder) if milder.arena <= planned.arena * (1 - _MILD) else (small, planned)


def _worth(arena: int) -> int:
    """By default speed counts for more than the last hundredth of the arena."""
    return int(arena * (1 + _WORTH))


def _relaxed(planner: Planner, planned: Planned, small: Variant, limit: int) -> Planned:
    """The variant ``small``, whose plan is ``planned``, with all that makes layers faster and keeps the arena within
    ``limit``."""

    left = 1 + _RELAXED // max(len(planner.choices), 1)

    def fits(variant: Variant) -> bool:
        nonlocal left
        if not left:
            return False
        left -= 1
        planned = planner.below(variant, limit + 1, thorough=False)
        return planned is not None and planned.arena <= limit

    changes: list[Callable[[Variant], Variant]] = []
    for value, layout in planner.layouts.items():
        changes.append(partial(_with_layout, value=value, layout=layout))
    for index, thrift in enumerate(small.thrift):
        changes += [partial(_with_thrift, index=index, thrift=less) for less in range(thrift)]
    variant = _apply(small, changes, fits)
    if variant == small:
        return planned
    faster = planner.plan(variant)
    return faster if faster.arena <= limit else planned


def _with_layout(variant: Variant, value: Value, layout: str) -> Variant:
    return replace(variant, layouts={**variant.layouts, value: layout})


def _with_thrift(variant: Variant, index: int, thrift: int) -> Variant:
    least = min(variant.thrift[index], thrift)
    return replace(variant, thrift=(*variant.thrift[:index], least, *variant.thrift[index + 1 :]))


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
