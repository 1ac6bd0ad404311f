"""A number that says what it is worth: value, unit, clock, method and kind."""

from __future__ import annotations

from typing import Literal

import msgspec

#: ``measured`` on the device itself; ``emulated`` counted on an emulator; ``modelled`` computed from counts by a
#: named model; ``estimated`` from a rule of thumb.
Kind = Literal["measured", "emulated", "modelled", "estimated"]


class Measurement(msgspec.Struct, frozen=True, kw_only=True, tag="number", tag_field="is"):
    """One number.

    Attributes:
        value: The number, in ``unit``.
        unit: ``"s"``, ``"B"``, ``"1"`` (a share), ``"instructions"`` and so on; SI base units, never milli.
        kind: What sort of number it is.
        method: How it was had, in a few words.
        clock: The clock that a time was read from, else None.
        n: How many raw samples stand behind it.
        low, high: Bounds of the 95 % interval, where one was computed.
        warnings: What makes it less trustworthy; shown next to it.
    """

    value: float
    unit: str
    kind: Kind
    method: str
    clock: str | None = None
    n: int = 1
    low: float | None = None
    high: float | None = None
    warnings: tuple[str, ...] = ()


class Unavailable(msgspec.Struct, frozen=True, tag="unavailable", tag_field="is"):
    """A number that could not be had, and why."""

    reason: str


Quantity = Measurement | Unavailable
