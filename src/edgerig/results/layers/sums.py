"""What several operators take together."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.measure.kinds import Measurement, Quantity, Unavailable

_COMPUTED = ("modelled", "estimated")


def sum_of(parts: Sequence[Quantity]) -> Quantity:
    """The sum of quantities of one unit and kind; unavailable if one of them is, or if their kinds differ.

    Bounds of a model add up, since its errors are not independent. Intervals of single operators do not, and the sum
    has none.
    """
    numbers = [part for part in parts if isinstance(part, Measurement)]
    missing = list(dict.fromkeys(part.reason for part in parts if isinstance(part, Unavailable)))
    if missing:
        count = f"{len(parts) - len(numbers)} of {len(parts)} operators: " if len(parts) > 1 else ""
        return Unavailable(count + "; ".join(missing))
    if len({(number.unit, number.kind) for number in numbers}) != 1:
        return Unavailable("its operators have numbers of several kinds")
    first = numbers[0]
    if len(numbers) == 1:
        return _with_error(first)
    bands = [(number.low, number.high) for number in numbers if number.bounds == "model"]
    low, high = [side for side, _ in bands if side is not None], [side for _, side in bands if side is not None]
    whole = len(low) == len(high) == len(numbers)
    return _with_error(
        Measurement(
            value=sum(number.value for number in numbers),
            unit=first.unit,
            kind=first.kind,
            method=f"{first.method}; sum of {len(numbers)} operators",
            clock=first.clock,
            n=min(number.n for number in numbers),
            low=sum(low) if whole else None,
            high=sum(high) if whole else None,
            bounds="model" if whole else "interval",
            warnings=tuple(dict.fromkeys(warning for number in numbers for warning in number.warnings)),
        )
    )


def _with_error(number: Measurement) -> Quantity:
    """``number``; what a model made without telling its error is none."""
    if number.kind in _COMPUTED and (number.bounds != "model" or None in (number.low, number.high)):
        return Unavailable(f"it was {number.kind}, and nobody told with which error")
    return number
