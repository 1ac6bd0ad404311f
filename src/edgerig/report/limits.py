"""How much of a run a report shows."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """How much of a run the report shows, so that its size stays bounded whatever the run's size.

    Attributes:
        points: Points of a time series, and of each line of a curve.
        picture_bytes: Of base64 pictures, all variants together.
        mismatches: Samples of a gallery.
        classes: Rows of a view's table, and of a matrix that is shown at all.
        layers: Rows of the per-layer table.
    """

    points: int = 2000
    picture_bytes: int = 900_000
    mismatches: int = 60
    classes: int = 40
    layers: int = 400


class Budget:
    """Hands out room for pictures until none is left."""

    def __init__(self, room: int) -> None:
        self.room = room

    def take(self, size: int) -> bool:
        """Whether ``size`` bytes more fit; takes them if so."""
        if size > self.room:
            return False
        self.room -= size
        return True
