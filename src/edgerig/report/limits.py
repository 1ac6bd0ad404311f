"""How much of a run a report shows."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """How much of a run the report shows, so that its size stays bounded whatever the run's size.

    Attributes:
        points: Points of a time series, and of each line of a curve.
        picture_bytes: Bytes of base64 pictures, over all variants.
        mismatches: Samples of a gallery.
        classes: Rows of a view's table, and largest size of a matrix that is shown.
        layers: Rows of the per-layer table.
        details: Whether each variant has a section of its own.
        others: Whether there is more than the table of variants: a plot, layers, sizes, errors compared.
    """

    points: int = 2000
    picture_bytes: int = 900_000
    mismatches: int = 60
    classes: int = 40
    layers: int = 400
    details: bool = True
    others: bool = True


#: All that a page shows where there is room.
WHOLE = Limits()


class Budget:
    """Counts down the bytes that are left for pictures."""

    def __init__(self, room: int) -> None:
        self.room = room

    def take(self, size: int) -> bool:
        """Whether ``size`` bytes more fit; reserves them if so."""
        if size > self.room:
            return False
        self.room -= size
        return True
