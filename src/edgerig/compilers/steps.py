"""The steps of a chain of compilers: those that are named, such as ``prune+int8``, and what must come before each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from edgerig import plugin_names
from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.errors import IncompatibleError, UsageError

#: Stands between the compilers of a chain.
PLUS = "+"
Make = Callable[[str], ModelCompiler]


class Step(msgspec.Struct, frozen=True):
    """A compiler of a chain; ``named``: whether it was asked for, or only brings the format that the next one reads."""

    compiler: ModelCompiler
    named: bool


class State(msgspec.Struct, frozen=True):
    """What is known of a network beforehand: format and scheme, the tools that it went through, first to last, and
    whether an input or output is of integers with a scale."""

    format: str
    scheme: str
    tools: tuple[str, ...] = ()
    integer_ends: bool = False

    @classmethod
    def of(cls, artifact: Artifact) -> State:
        """That of a file."""
        tools = tuple(origin.tool for origin in artifact.origins)
        ends = any(spec.quantization is not None for spec in (*artifact.inputs, *artifact.outputs))
        return cls(artifact.format, artifact.scheme, tools, ends)

    def after(self, compiler: ModelCompiler) -> State:
        """That of what ``compiler`` makes of it."""
        own = compiler.integer_ends()
        ends = self.integer_ends if own is None else own
        return State(compiler.makes, compiler.scheme or self.scheme, (*self.tools, compiler.name), ends)

    def refused_by(self, compiler: ModelCompiler) -> str | None:
        """Why ``compiler`` does not take such a network, or None."""
        return (
            compiler.refuses(self.format, self.scheme)
            or compiler.refuses_after(self.tools)
            or (compiler.refuses_integer_ends() if self.integer_ends else None)
        )


def names_of(chain: str) -> tuple[str, ...]:
    """The compilers that a text names, first to last.

    >>> names_of("prune+int8")
    ('prune', 'int8')

    Raises:
        UsageError: One of them is empty.
    """
    names = tuple(name.strip() for name in chain.split(PLUS))
    if not all(names):
        raise UsageError(f"{chain!r} names an empty compiler.", "Write a chain as prune+int8.")
    return names


def steps_to(named: Sequence[ModelCompiler], start: State, make: Make) -> tuple[Step, ...]:
    """The steps to the last of ``named``, each preceded by what it needs.

    Args:
        start: The network that the first one gets.
        make: Makes a compiler that is not named.

    Raises:
        IncompatibleError: One refuses what the step before it makes; says what may follow that.
    """
    steps, refusal = _joined(named, start, make)
    if refusal is not None:
        raise IncompatibleError(_unfit(named, refusal, start, make) if refusal.position else refusal.reason)
    return steps


class _Refusal(msgspec.Struct, frozen=True):
    """Why the compiler at a position of a chain does not take a network in ``state``."""

    position: int
    reason: str
    state: State


def _joined(named: Sequence[ModelCompiler], start: State, make: Make) -> tuple[tuple[Step, ...], _Refusal | None]:
    """The steps up to the first that refuses its input, and why it does; None where none does."""
    steps: list[Step] = []
    state = start
    for position, general in enumerate(named):
        compiler = general.for_format(state.format)
        for each in with_those_before(compiler, state, make):
            reason = state.refused_by(each)
            if reason is not None:
                return tuple(steps), _Refusal(position, reason, state)
            steps.append(Step(each, each is compiler))
            state = state.after(each)
    return tuple(steps), None


def with_those_before(compiler: ModelCompiler, state: State, make: Make) -> tuple[ModelCompiler, ...]:
    """``compiler`` after those that must run first on such a network."""
    if compiler.after is None or state.format in compiler.direct:
        return (compiler,)
    before = make(compiler.after).for_format(state.format)
    if before.makes == state.format or before.refuses(state.format, state.scheme):
        return (compiler,)
    return (*with_those_before(before, state, make), compiler)


def label_of(steps: Sequence[Step]) -> str:
    """What the result of ``steps`` is called: those that are named, and the last one.

    >>> from edgerig.compilers.float32 import Float32
    >>> from edgerig.compilers.quantize import Int8
    >>> label_of([Step(Float32(), False), Step(Int8(), True)])
    'int8'
    """
    return PLUS.join(step.compiler.name for step in (*(s for s in steps[:-1] if s.named), steps[-1]))


def followers(state: State, make: Make) -> list[str]:
    """The registered compilers that take a network in ``state``."""
    able = []
    for name in plugin_names.names("compiler"):
        # A plugin that cannot be loaded is no proposal, either.
        with contextlib.suppress(Exception):
            if _joined([make(name)], state, make)[1] is None:
                able.append(name)
    return able


def _unfit(named: Sequence[ModelCompiler], refusal: _Refusal, start: State, make: Make) -> str:
    """Why a compiler cannot follow the one before it, and what can."""
    at = refusal.position
    before, compiler = named[at - 1], named[at]
    text = f"{compiler.name} cannot follow {before.name}: {refusal.reason}"
    swapped = [*named[: at - 1], compiler, before, *named[at + 1 :]]
    if _joined(swapped, start, make)[1] is None:
        text += f"; {PLUS.join(each.name for each in swapped)} is possible"
    able = followers(refusal.state, make)
    return f"{text}; after {before.name} may come {', '.join(able) or 'nothing'}"
