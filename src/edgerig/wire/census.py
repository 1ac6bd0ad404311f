"""Checks what a device tells of the operators that it runs; what cannot be makes it `Unavailable`."""

from __future__ import annotations

from edgerig.measure.census import Census, OperatorGroup, Request
from edgerig.measure.kinds import Unavailable
from edgerig.text import one_line

#: Most groups, requests and operators of a group that are taken; characters of a name and of a reason.
_MOST_GROUPS, _MOST_REQUESTS, _MOST_OPERATORS, _NAME, _REASON = 4096, 64, 2**31, 200, 1000


def checked_census(census: Census | Unavailable, who: str) -> Census | Unavailable:
    """``census`` with texts on one line and counts within bounds; `Unavailable` where it cannot be."""
    if isinstance(census, Unavailable):
        return Unavailable(one_line(census.reason, _REASON))
    if len(census.operators) > _MOST_GROUPS or len(census.requested) > _MOST_REQUESTS:
        return Unavailable(f"{who} told more kinds of operators than there can be")
    if any(not 1 <= group.count <= _MOST_OPERATORS for group in census.operators):
        return Unavailable(f"{who} told a number of operators that cannot be")
    return Census(
        operators=tuple(
            OperatorGroup(
                op=one_line(group.op, _NAME),
                placement=one_line(group.placement, _NAME),
                dtype=one_line(group.dtype, _NAME),
                count=group.count,
            )
            for group in census.operators
        ),
        method=one_line(census.method, _REASON),
        requested=tuple(Request(kind=r.kind, name=one_line(r.name, _NAME)) for r in census.requested),
    )
