"""Figures and facts for display: the smallest parts of the report's model."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Bounds, Kind


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number for display, or the reason why there is none.

    Attributes:
        text: For people, such as ``1.23 ms``; ``unavailable`` where there is none.
        exact: The exact value, such as ``0.0012345 s``.
        value: In ``unit``, or None. ``low`` and ``high`` bound it; ``interval`` is their text.
        bounds: Their meaning: the 95 % interval of a measurement, or the error of the model that computed the number.
        kind: None where there is no number.
        detail: The method: clock, number of samples.
        reason: Why there is none.
        strong: Whether it is highlighted.
    """

    text: str
    exact: str = ""
    value: float | None = None
    unit: str = ""
    kind: Kind | None = None
    low: float | None = None
    high: float | None = None
    interval: str | None = None
    bounds: Bounds = "interval"
    detail: str = ""
    warnings: tuple[str, ...] = ()
    reason: str | None = None
    strong: bool = False

    @property
    def banded(self) -> bool:
        """Whether it must not be shown without its bounds, since a model computed it."""
        return self.bounds == "model" and self.interval is not None

    @property
    def bounds_name(self) -> str:
        """The meaning of its bounds, in words."""
        return "error of the model" if self.bounds == "model" else "95 % interval"

    @property
    def whole(self) -> str:
        """The number with all that belongs to it: ``8.20 ms``, or ``8.20 ms, modelled, 6.80–12.2 ms``."""
        kind = f", {self.kind}" if self.kind not in (None, "measured") else ""
        return f"{self.text}{kind}" + (f", {self.interval}" if self.banded else "")

    @property
    def title(self) -> str:
        """Everything that does not fit into the table, one item per line."""
        if self.reason is not None:
            return f"unavailable: {self.reason}"
        lines = [self.exact, *([f"{self.bounds_name} {self.interval}"] if self.interval else [])]
        return "\n".join(line for line in (*lines, self.kind or "", self.detail, *self.warnings) if line)


class Fact(msgspec.Struct, frozen=True):
    """A label and its value; ``title`` is the full text where ``value`` is shortened.

    ``kind`` is that of a number of the device; None for anything else.
    """

    label: str
    value: str
    title: str = ""
    kind: Kind | None = None


class Change(msgspec.Struct, frozen=True):
    """A fact before and after the measurement."""

    label: str
    before: str
    after: str


class NamedFigure(msgspec.Struct, frozen=True):
    """A figure with its name."""

    name: str
    figure: Figure
