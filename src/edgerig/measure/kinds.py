"""A number with its provenance: value, unit, clock, method and kind."""

from __future__ import annotations

from typing import Literal

import msgspec

#: ``measured`` on the device itself; ``emulated`` counted on an emulator; ``modelled`` computed from counts by a
#: named model; ``estimated`` from a rule of thumb.
Kind = Literal["measured", "emulated", "modelled", "estimated"]
#: What ``low`` and ``high`` of a number are: a 95 % confidence interval, or how far a model was off elsewhere.
Bounds = Literal["interval", "model"]


class Measurement(msgspec.Struct, frozen=True, kw_only=True, tag="number", tag_field="is"):
    """One number.

    Attributes:
        value: The number, in ``unit``.
        unit: ``"s"``, ``"B"``, ``"1"`` (a share), ``"instructions"`` and so on; SI base units, never milli.
        kind: What sort of number it is.
        method: How it was obtained, in a few words.
        clock: The clock that a time was read from, else None.
        n: Number of raw samples.
        low, high: Bounds, where there are any.
        bounds: What they are: ``interval``, the 95 % confidence interval of repeated measurements, which more samples
            make narrower; ``model``, the error of the model that made the number, which they do not.
        warnings: What makes it less trustworthy; shown next to it.

    >>> time = Measurement(value=2.5e-3, unit="s", kind="measured", method="median", clock="perf_counter_ns, 1 ns")
    >>> microseconds(time)
    '2,500.0 us'
    """

    value: float
    unit: str
    kind: Kind
    method: str
    clock: str | None = None
    n: int = 1
    low: float | None = None
    high: float | None = None
    bounds: Bounds = "interval"
    warnings: tuple[str, ...] = ()


class ModelBand(msgspec.Struct, frozen=True):
    """The error of a model: the true number is ``low`` to ``high`` times the modelled one.

    ``method`` names the model, and what it was held against.
    """

    low: float
    high: float
    method: str

    def of(self, number: Measurement) -> Measurement:
        """``number`` with this band: from ``low * value`` to ``high * value``; of a rate (``1/s``) the inverse.

        >>> band = ModelBand(0.8, 1.5, "cycle model")
        >>> time = Measurement(value=2.0, unit="s", kind="modelled", method="cycles")
        >>> microseconds(band.of(time))
        '2,000,000.0 us, modelled, 1,600,000.0 to 3,000,000.0'
        """
        rate = number.unit.startswith("1/")
        low, high = (1 / self.high, 1 / self.low) if rate else (self.low, self.high)
        return msgspec.structs.replace(
            number, low=number.value * low, high=number.value * high, bounds="model", kind="modelled"
        )


class Unavailable(msgspec.Struct, frozen=True, tag="unavailable", tag_field="is"):
    """A number that could not be obtained, and the reason."""

    reason: str


Quantity = Measurement | Unavailable


def microseconds(time: Measurement) -> str:
    """A time in words with all that may not be left out: ``12.3 us``, or ``12.3 us, modelled, 10.2 to 18.4``."""
    text = f"{_rounded(time.value)} us"
    if time.kind == "measured":
        return text
    text += f", {time.kind}"
    if time.bounds == "model" and time.low is not None and time.high is not None:
        return f"{text}, {_rounded(time.low)} to {_rounded(time.high)}"
    return f"{text}, with an error that nobody told" if time.kind != "emulated" else text


def _rounded(seconds: float) -> str:
    """Microseconds to one decimal, and less than one to three figures: 141 ns are not 0.1 us."""
    value = seconds * 1e6
    return f"{value:,.1f}" if abs(value) >= 1 else f"{value:.3g}"
