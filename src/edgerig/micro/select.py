"""Kernel selection: which kernel runs each node, which nodes are fused for it, and the layouts of values in between."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence, Set
from dataclasses import dataclass, field

from edgerig.errors import CompileError
from edgerig.micro import ir
from edgerig.micro.ir import Conv2D, DepthwiseConv2D, FullyConnected, Fused, Node, Program, Value, Weighted
from edgerig.micro.kernels.base import Kernel
from edgerig.micro.kernels.layouts import PLAIN
from edgerig.micro.kernels.refusals import Answer, Refusal
from edgerig.micro.memory.aliases import AliasSets, needs_code
from edgerig.micro.options import Options

#: Weights of a depthwise convolution that may take a byte each where they are packed and flash is to be saved.
_FEW_WEIGHTS = 4096


@dataclass(frozen=True)
class Choice:
    """A node, the kernel that takes it, and the better ones that refused it with the reason of each, in their order."""

    node: Node
    kernel: Kernel
    refusals: tuple[tuple[Kernel, str], ...] = ()


@dataclass(frozen=True)
class Refusals:
    """Which kernels refused which nodes; those of a chain that was to be fused are kept with its first node."""

    reasons: dict[Node, dict[Kernel, str]] = field(default_factory=dict)

    def note(self, node: Node, kernel: Kernel, answer: Answer) -> None:
        """Keep the reason of a `Refusal`; other answers have none."""
        if isinstance(answer, Refusal):
            self.reasons.setdefault(node, {})[kernel] = answer.reason

    def before(self, kernel: Kernel, node: Node, kernels: Sequence[Kernel]) -> tuple[tuple[Kernel, str], ...]:
        """Reasons of the kernels that stand before ``kernel``, for ``node`` and for what was fused into it."""
        nodes = (node, *node.parts) if isinstance(node, Fused) else (node,)
        reasons = {asked: reason for part in nodes for asked, reason in self.reasons.get(part, {}).items()}
        return tuple((better, reasons[better]) for better in kernels[: kernels.index(kernel)] if better in reasons)


def fuse(program: Program, kernels: Sequence[Kernel], options: Options) -> Refusals:
    """Fuse the chains that kernels ask for, the best kernel first; the result says which of them refused, and why.

    A chain is fused where each node is the only reader of the one before, whose output is no output of the network.
    The fused node stands where the last of them stood. A chain whose nodes better kernels take one by one is left to
    them: portable code fuses convolutions with what stands behind them.
    """
    refusals = Refusals()
    outputs = set(program.outputs)
    for position, kernel in enumerate(kernels):
        if kernel.pattern:
            users = program.users()
            changes: dict[Node, Node | None] = {}
            for node in program.nodes:
                chain = _chain(node, kernel, users, outputs, changes)
                if not chain:
                    continue
                candidate = Fused.of(*chain)
                answer = takes(kernel, candidate, options)
                refusals.note(node, kernel, answer)
                if answer and not _better_alone(chain, kernels[:position], kernel, options):
                    changes.update(dict.fromkeys(chain))
                    changes[chain[-1]] = candidate
            program.replace(changes)
    return refusals


def _better_alone(chain: Sequence[Node], better: Sequence[Kernel], kernel: Kernel, options: Options) -> bool:
    """Kernels for more of a CPU take every node of a chain that a kernel for less of it, or for any CPU, would fuse."""
    fast = [candidate for candidate in better if candidate.needs > kernel.needs]
    return all(any(takes(candidate, node, options) for candidate in fast) for node in chain)


def _chain(
    node: Node, kernel: Kernel, users: Mapping[Value, Sequence[Node]], outputs: Set[Value], taken: Container[Node]
) -> list[Node]:
    """The nodes from ``node`` on that are of the kinds which ``kernel`` fuses; none if they are not, or taken."""
    if not isinstance(node, kernel.pattern[0]) or node in taken:
        return []
    chain = [node]
    for kind in kernel.pattern[1:]:
        results = chain[-1].outputs
        readers = users.get(results[0], []) if len(results) == 1 else []
        if len(readers) != 1 or results[0] in outputs or not isinstance(readers[0], kind) or readers[0] in taken:
            return []
        chain.append(readers[0])
    return chain


def choose(
    program: Program,
    kernels: Sequence[Kernel],
    options: Options,
    shared: AliasSets,
    refusals: Refusals,
    known: dict[Node, Choice],
) -> list[Choice]:
    """A kernel for every node that needs code; ``refusals`` are those of `fuse`, to which others are added.

    Those of nodes that are ``known`` are taken from there, others are added.

    Raises:
        CompileError: There is none for some; names them all, their positions, types, and what would be known.
    """
    choices: list[Choice] = []
    missing: list[Node] = []
    for node in program.nodes:
        if not needs_code(node, shared):
            continue
        if node in known:
            choices.append(known[node])
            continue
        for kernel in kernels:
            answer = takes(kernel, node, options)
            refusals.note(node, kernel, answer)
            if answer:
                _note_parts(node, kernel, kernels, options, refusals)
                known[node] = Choice(node, kernel, refusals.before(kernel, node, kernels))
                choices.append(known[node])
                break
        else:
            missing.append(node)
    if missing:
        raise _missing(program, missing, kernels)
    return choices


def _note_parts(node: Node, kernel: Kernel, kernels: Sequence[Kernel], options: Options, refusals: Refusals) -> None:
    """Why better kernels do not run what was fused for ``kernel``: they take one part alone, or not even that."""
    for part in node.parts if isinstance(node, Fused) else ():
        for better in kernels[: kernels.index(kernel)]:
            answer = takes(better, part, options)
            alone = Refusal(f"takes {part.label} alone; it was fused with its neighbour for {kernel.name}")
            refusals.note(part, better, alone if answer else answer)


def takes(kernel: Kernel, node: Node, options: Options) -> Answer:
    """Whether a kernel runs a node, as it is or fused."""
    if isinstance(node, Fused):
        kinds = kernel.pattern
        if len(kinds) != len(node.parts) or not all(map(isinstance, node.parts, kinds)):
            return False
    elif kernel.pattern or not isinstance(node, kernel.node):
        return False
    for part in node.parts if isinstance(node, Fused) else (node,):
        if not kernel.wide and _is_wide(part):
            return Refusal("weights of uint8 that take 9 bits without their zero point")
        if not kernel.packed and _is_packed(part) and not (kernel.needs and _may_unpack(part, options)):
            return Refusal("weights of 4 bits, two to a byte")
    return kernel.accepts(node, options)


def _is_wide(node: Node) -> bool:
    return isinstance(node, Weighted) and node.weights.dtype == "int16"


def _is_packed(node: Node) -> bool:
    """Of other operators weights of 4 bits are unpacked when compiling."""
    return isinstance(node, Conv2D | DepthwiseConv2D | FullyConnected) and node.weights.packed


def _may_unpack(node: Node, options: Options) -> bool:
    """For speed; and of depthwise convolutions, which have so few that flash is not what they cost."""
    assert isinstance(node, Weighted)
    few = isinstance(node, DepthwiseConv2D) and node.weights.elements <= _FEW_WEIGHTS
    return options.optimize == "speed" or few


def _missing(program: Program, nodes: Sequence[Node], kernels: Sequence[Kernel]) -> CompileError:
    def types(node: Node) -> str:
        kinds = [value.dtype for value in node.inputs[:2] if not value.constant] or [node.input.dtype]
        return ", ".join(kinds) + (" to " + ", ".join(value.dtype for value in node.outputs) if node.outputs else "")

    shown = "; ".join(f"{node.where()} of {types(node)}" for node in nodes[:8])
    more = f"; and {len(nodes) - 8} more" if len(nodes) > 8 else ""
    known = dict.fromkeys(
        # Of a kernel for several kinds of operators the one that is there: the class of all of them has no name.
        f"{node.label}: {kernel.supports}"
        for node in nodes
        for kernel in kernels
        if kernel.supports and isinstance(node, kernel.node) and not kernel.pattern
    )
    return CompileError(
        f"{program.name} cannot be compiled to C: there is no kernel for {shown}{more}.",
        f"Supported: {'; '.join(known) or 'nothing of that kind'}.",
    )


def choose_layouts(program: Program, choices: Sequence[Choice], shared: AliasSets) -> dict[Value, str]:
    """The layout of each value that is not plain: the first that its maker offers and all its readers take.

    Inputs, outputs, state and what shares memory under another shape stay plain.
    """
    fixed = {shared.find(value) for value in (*program.inputs, *program.outputs)}
    for node in program.nodes:
        if isinstance(node, ir.Reshape | ir.ReadVariable | ir.AssignVariable | ir.ShiftState):
            fixed.update(shared.find(value) for value in (*node.inputs, *node.outputs))
    layouts: dict[Value, str] = {}
    reading: dict[Value, list[Choice]] = {}
    for choice in choices:
        for value in dict.fromkeys(choice.node.inputs):
            reading.setdefault(value, []).append(choice)
    for choice in choices:
        for value in choice.node.outputs:
            if shared.find(value) in fixed or value.variable:
                continue
            readers = reading.get(value, [])
            for layout in choice.kernel.writes(choice.node, value):
                if all(layout in reader.kernel.reads(reader.node, value) for reader in readers):
                    if layout != PLAIN and readers:
                        layouts[value] = layout
                    break
    return layouts
