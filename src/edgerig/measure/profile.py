"""A per-operator profile: what each operator of a network takes."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Quantity


class LayerTime(msgspec.Struct, frozen=True, kw_only=True):
    """One operator of a profile: its place in execution order, name, type and seconds an inference.

    ``time`` is an `Unavailable` where the engine tells the operator but not its time. ``instructions`` of an inference
    are there where an emulator counts them. ``placement`` is what of the engine ran it, such as a delegate or an
    execution provider; empty where the engine does not tell.
    """

    index: int
    name: str
    op: str
    time: Quantity
    output_shape: tuple[int, ...] | None = None
    instructions: Quantity | msgspec.UnsetType = msgspec.UNSET
    placement: str = ""
