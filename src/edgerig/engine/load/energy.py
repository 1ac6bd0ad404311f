"""Energy of an inference, where this machine runs it and counts joules."""

from __future__ import annotations

from collections.abc import Mapping

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.power import Counter, energy_between


def energy_per_inference(before: Mapping[str, Counter], after: Mapping[str, Counter], count: int) -> Quantity:
    """Joules of the processor's packages from ``before`` to ``after``, divided by ``count`` inferences.

    Packages are whole sockets, so that they may be added up; cores and memory within them are part of them.
    """
    if count <= 0:
        return Unavailable("no inference was finished")
    parts = {
        name: quantity
        for name, quantity in energy_between(dict(before), dict(after)).items()
        if name.startswith("energy/package-") and name.count("/") == 1
    }
    if not parts:
        return Unavailable("this machine has no energy counter of its processor that may be read (RAPL)")
    joules = 0.0
    for quantity in parts.values():
        if isinstance(quantity, Unavailable):
            return quantity
        joules += quantity.value
    return Measurement(
        value=joules / count,
        unit="J",
        kind="measured",
        n=count,
        method="RAPL's energy of all processor packages under load / inferences; includes idle power and other work",
    )
