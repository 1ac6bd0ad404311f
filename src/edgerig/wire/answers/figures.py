"""Figures that a device tells: quantities by name, and the operators of a profile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.text import one_line
from edgerig.wire.answers.plausible import (
    LONGEST_SECONDS,
    MESSAGE,
    MOST_BYTES,
    MOST_DIMENSIONS,
    MOST_ELEMENTS,
    MOST_NAMES,
    NAME,
    refused,
    text_of,
)

#: Most operators of a network.
MOST_LAYERS = 65536

Named = TypeVar("Named")


def checked_quantities(quantities: Mapping[str, Quantity], who: str, unit: str | None) -> dict[str, Quantity]:
    """Figures by name, in ``unit`` where they have one; an impossible one becomes `Unavailable` with the reason."""
    names = list(quantities.items())[:MOST_NAMES]
    return {one_line(name, NAME): checked_quantity(quantity, who, unit) for name, quantity in names}


def checked_quantity(quantity: Quantity, who: str, unit: str | None) -> Quantity:
    """One figure: finite, and for bytes and seconds not negative."""
    if isinstance(quantity, Unavailable):
        return Unavailable(one_line(quantity.reason, MESSAGE))
    value, own = quantity.value, one_line(quantity.unit, 40)
    counted = own in ("B", "s")
    if unit is not None and own != unit:
        return Unavailable(f"{who} told it in {own!r}, not in {unit}")
    if not math.isfinite(value) or (counted and not 0 <= value <= (MOST_BYTES if own == "B" else LONGEST_SECONDS)):
        return Unavailable(f"{who} told {value} {own}, which cannot be")
    bounds = {
        name: bound if bound is not None and math.isfinite(bound) else None
        for name, bound in (("low", quantity.low), ("high", quantity.high))
    }
    return replace(
        quantity,
        unit=own,
        method=one_line(quantity.method, MESSAGE),
        clock=text_of(quantity.clock),
        n=max(0, quantity.n),
        warnings=tuple(one_line(text, MESSAGE) for text in quantity.warnings[:20]),
        **bounds,
    )


def checked_layers(layers: Sequence[Named] | Unavailable, who: str) -> list[Named] | Unavailable:
    """The operators of a profile, `edgerig.measure.profile.LayerTime` or the like; or why there is none.

    Raises:
        AnswerError: They are more than any network has.
    """
    if isinstance(layers, Unavailable):
        return Unavailable(one_line(layers.reason, MESSAGE))
    if len(layers) > MOST_LAYERS:
        raise refused(who, f"tells {len(layers)} operators in its profile")
    return [_checked_layer(layer, who) for layer in layers]


def _checked_layer(layer: Any, who: str) -> Any:
    shape = layer.output_shape
    sound = shape is not None and len(shape) <= MOST_DIMENSIONS and all(0 <= size <= MOST_ELEMENTS for size in shape)
    changes: dict[str, Any] = {
        "index": max(0, layer.index),
        "name": one_line(layer.name, NAME),
        "op": one_line(layer.op, NAME),
        "placement": one_line(layer.placement, NAME),
        "time": checked_quantity(layer.time, who, "s"),
        "output_shape": shape if sound else None,
    }
    if layer.instructions is not msgspec.UNSET:
        changes["instructions"] = checked_quantity(layer.instructions, who, "instructions")
    return replace(layer, **changes)
