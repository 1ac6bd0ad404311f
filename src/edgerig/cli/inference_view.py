"""What an inference of a firmware costs, as lines of text: ``edgerig firmware size``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from edgerig.measure.kinds import Measurement

if TYPE_CHECKING:
    from edgerig.measure.kinds import Quantity
    from edgerig.simulator.inference_cost import InferenceCost

_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:/|per)?\s*(s|sec|second|min|minute|h|hour)?\s*", re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Rate(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4 alone
    """Inferences a second: ``10/s``, ``10``, ``30/min``."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _RATE.fullmatch(str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no rate; such as 10/s, 0.5/s or 30/min.", param, ctx)
        return float(match[1]) / _SECONDS[(match[2] or "s")[0].lower()]


def cost_lines(cost: InferenceCost, reserved: int, rate: float | None) -> list[str]:
    """One inference in lines.

    Args:
        reserved: Bytes of stack that are set aside. rate: Inferences a second that are wanted.
    """
    rows = [("multiply-accumulates", f"{cost.macs:,}" if cost.macs else "not known")]
    for name, quantity in (("instructions", cost.instructions), ("cycles", cost.cycles)):
        rows.append((name, _counted(quantity, cost.macs)))
    rows.append((f"time at {cost.clock_hz / 1e6:g} MHz", _scaled(cost.cycles, 1e3 / cost.clock_hz, "ms")))
    if rate is not None:
        rows.append((f"processor at {rate:g}/s", _share(cost, rate)))
    functions = ", ".join(cost.allocators)
    heap = f"possible: {functions} linked in" if functions else "none: no function that allocates is linked in"
    rows.append(("heap", heap))
    used = cost.stack
    known = f"{used.value:,.0f} B of {reserved:,} B used, {used.method}" if isinstance(used, Measurement) else ""
    rows.append(("stack", known or f"{reserved:,} B set aside"))
    return ["inference", *(f"  {name:<28}{text}" for name, text in rows), *_why(cost)]


def cost_json(cost: InferenceCost, rate: float | None) -> dict[str, Any]:
    """The same for programs: ratios and shares are None where they cannot be told."""
    import msgspec

    def ratio(quantity: Quantity) -> float | None:
        return quantity.value / cost.macs if isinstance(quantity, Measurement) and cost.macs else None

    share = cost.cycles.value * rate / cost.clock_hz if rate and isinstance(cost.cycles, Measurement) else None
    return {
        **msgspec.to_builtins(cost),
        "instructions_per_mac": ratio(cost.instructions),
        "cycles_per_mac": ratio(cost.cycles),
        "rate": rate,
        "processor_share": share,
    }


def _counted(quantity: Quantity, macs: int) -> str:
    if not isinstance(quantity, Measurement):
        return "not counted"
    each = f", {quantity.value / macs:.2f} a MAC" if macs else ""
    return f"{quantity.value:,.0f}{_band(quantity, 1, '{:,.0f}')}{each}, {quantity.kind}"


def _scaled(quantity: Quantity, factor: float, unit: str) -> str:
    if not isinstance(quantity, Measurement):
        return "not known"
    return f"{quantity.value * factor:.3g} {unit}{_band(quantity, factor, '{:.3g}')}, {quantity.kind}"


def _share(cost: InferenceCost, rate: float) -> str:
    cycles, text = cost.cycles, _scaled(cost.cycles, 100 * rate / cost.clock_hz, "%")
    if not isinstance(cycles, Measurement) or (cycles.high or cycles.value) * rate <= cost.clock_hz:
        return text
    return f"{text}: {'more than there is' if cycles.value * rate > cost.clock_hz else 'may be more than there is'}"


def _band(quantity: Measurement, factor: float, form: str) -> str:
    if quantity.low is None or quantity.high is None:
        return ""
    return f" ({form.format(quantity.low * factor)} to {form.format(quantity.high * factor)})"


def _why(cost: InferenceCost) -> list[str]:
    reasons = [
        quantity.reason for quantity in (cost.instructions, cost.cycles) if not isinstance(quantity, Measurement)
    ]
    return [f"  not counted: {reason}" for reason in dict.fromkeys(reasons)]
