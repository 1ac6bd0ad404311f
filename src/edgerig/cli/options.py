"""``key=value`` options, read as YAML would read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgerig.errors import UsageError


def parse_options(assignments: Sequence[str], option: str) -> dict[str, Any]:
    """Plain values of ``key=value`` texts.

    Raises:
        UsageError: One has no ``=``.
    """
    from edgerig.spec.document import parse_scalar

    result: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {assignment!r}: write it as key=value.")
        result[key.replace("-", "_")] = parse_scalar(text)
    return result
