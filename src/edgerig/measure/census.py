"""What really runs: a loaded network's operators by what executes them and in which type, held against the request.

An engine that cannot do what it is asked for often does something else in silence: another provider, another type. So
it is asked after loading (`edgerig.runtimes.base.Runtime.census`), and what it tells is judged here, on the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

#: Whether work elsewhere than requested is an error: ``forbid``, if any operator does; ``part``, if all do; ``allow``.
Fallback = Literal["forbid", "part", "allow"]

#: Operators that multiply by weights, by their names in the engines, in lower case without ``_``: the order decides.
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("convolution", ("conv",)),
    ("recurrent operator", ("lstm", "gru", "rnn", "svdf")),
    ("attention", ("attention", "sdpa")),
    ("matrix product", ("matmul", "gemm", "fullyconnected", "innerproduct", "linear", "dot", "addmm", "bmm", "einsum")),
)
#: Names that contain one of those and are something else: ``convert`` has ``conv`` in it, ``QLinearAdd`` ``linear``.
_OTHERS = ("convert", "quantizelinear")
#: Types that meet a request for a type.
_MEETS: dict[str, frozenset[str]] = {
    "int8": frozenset({"int8", "uint8"}),
    "int16x8": frozenset({"int16"}),
}
#: Schemes of artifacts that are a request for arithmetic in a type; float16 and dynamic are about stored weights.
REQUESTING_SCHEMES = frozenset({"int8", "int16x8"})
#: Most placements or types that a sentence names.
_MOST_NAMED = 4


class OperatorGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Operators of one type that the same thing executes in the same type of numbers.

    Attributes:
        op: Type of the operator, as the engine calls it: ``CONV_2D``, ``QLinearConv``.
        placement: What executes it: a delegate, an execution provider, a device; ``""`` where the engine tells none.
        dtype: The type of its arithmetic: ``int8``, ``float32``, ``bfloat16``; ``""`` where the engine tells none.
        count: How many there are; at least 1.
    """

    op: str
    placement: str
    dtype: str
    count: int


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A type of arithmetic, or a placement, that was asked for by name.

    A ``preference`` is a placement behind the one that was asked for: it need not get anything to run, and what it
    runs is not missing there.
    """

    kind: Literal["dtype", "placement", "preference"]
    name: str


class Census(msgspec.Struct, frozen=True, kw_only=True, tag="census", tag_field="is"):
    """What of a network runs where and in which type, as the engine tells it after loading.

    Attributes:
        operators: All operators, in groups, in the order of their first.
        requested: What was asked for.
        method: How the engine was asked.
    """

    operators: tuple[OperatorGroup, ...]
    method: str
    requested: tuple[Request, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How far a request is met: by ``met`` of ``total`` operators. ``text`` says where or as what the others ran.

    With a ``total`` of 0 the engine tells nothing that the request could be judged by.
    """

    request: Request
    met: int
    total: int
    text: str

    @property
    def outcome(self) -> Literal["met", "part", "not", "unknown"]:
        if self.request.kind == "preference":
            return "part" if self.text else "met"
        if not self.total:
            return "unknown"
        return "met" if self.met == self.total else "part" if self.met else "not"


def grouped(operators: Iterable[tuple[str, str, str]]) -> tuple[OperatorGroup, ...]:
    """Groups of operators, each told as its type, its placement and its type of numbers.

    >>> grouped([("CONV_2D", "XNNPACK", "int8"), ("SOFTMAX", "", "int8"), ("CONV_2D", "XNNPACK", "int8")])[0].count
    2
    """
    counts: dict[tuple[str, str, str], int] = {}
    for operator in operators:
        counts[operator] = counts.get(operator, 0) + 1
    return tuple(
        OperatorGroup(op=op, placement=placement, dtype=dtype, count=count)
        for (op, placement, dtype), count in counts.items()
    )


def with_scheme(census: Census, scheme: str) -> Census:
    """``census`` with the request that an artifact's ``scheme`` is, if it is one."""
    if scheme not in REQUESTING_SCHEMES or any(request.kind == "dtype" for request in census.requested):
        return census
    return msgspec.structs.replace(census, requested=(*census.requested, Request(kind="dtype", name=scheme)))


def verdicts(census: Census) -> tuple[Verdict, ...]:
    """How far each request is met.

    A type is judged by the operators that multiply by weights (convolutions, matrix products, recurrent ones) where
    the network has any, else by all; a placement by all operators. Operators whose type the engine does not tell
    count for no type.
    """
    return tuple(_verdict(census, request) for request in census.requested)


def _verdict(census: Census, request: Request) -> Verdict:
    if request.kind == "preference":
        return _preferred(census, request)
    if request.kind == "placement":
        groups = list(census.operators)
        if any(_meets(group, request) for group in groups):
            preferences = {other.name for other in census.requested if other.kind == "preference"}
            groups = [group for group in groups if group.placement not in preferences]
    else:
        groups = [group for group in census.operators if group.dtype]
        groups = [group for group in groups if family(group.op) is not None] or groups
    missed = [group for group in groups if not _meets(group, request)]
    total = sum(group.count for group in groups)
    met = total - sum(group.count for group in missed)
    text = _text(request, groups, missed) if missed else ""
    if not total:
        text = f"{request.name} was asked for, and the engine does not tell what ran."
    return Verdict(request=request, met=met, total=total, text=text)


def _preferred(census: Census, request: Request) -> Verdict:
    count = sum(group.count for group in census.operators if group.placement == request.name)
    named = {other.name for other in census.requested if other.kind != "dtype"}
    left = sum(group.count for group in census.operators if group.placement not in named)
    text = "" if count or not left else f"{request.name} was named, too, and took no operator."
    return Verdict(request=request, met=count, total=count if not text else left, text=text)


def _meets(group: OperatorGroup, request: Request) -> bool:
    if request.kind == "placement":
        return group.placement == request.name
    return group.dtype in _MEETS.get(request.name, frozenset({request.name}))


def _text(request: Request, groups: Sequence[OperatorGroup], missed: Sequence[OperatorGroup]) -> str:
    """Such as ``int8 was asked for: 17 of 52 convolutions ran in float32.``"""
    by_kind = request.kind == "dtype"
    totals: dict[str, int] = {}
    for group in groups:
        noun = (family(group.op) if by_kind else None) or "operator"
        totals[noun] = totals.get(noun, 0) + group.count
    parts: dict[tuple[str, str], int] = {}
    for group in missed:
        noun = (family(group.op) if by_kind else None) or "operator"
        manner = f"in {group.dtype}" if by_kind else f"on {group.placement or 'what the engine does not name'}"
        parts[noun, manner] = parts.get((noun, manner), 0) + group.count
    texts = [f"{count} of {_plural(totals[noun], noun)} ran {manner}" for (noun, manner), count in parts.items()]
    more = f", and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return f"{request.name} was asked for: {', '.join(texts[:_MOST_NAMED])}{more}."


def family(op: str) -> str | None:
    """What an operator is, if it multiplies by weights: ``convolution``, ``matrix product`` ..; else None.

    >>> family("DEPTHWISE_CONV_2D"), family("QLinearConv"), family("QGemm"), family("Convert"), family("QLinearAdd")
    ('convolution', 'convolution', 'matrix product', None, None)
    """
    name = op.lower().replace("_", "")
    if any(other in name for other in _OTHERS):
        return None
    name = name.removeprefix("qlinear")
    return next((noun for noun, parts in _FAMILIES if any(part in name for part in parts)), None)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
