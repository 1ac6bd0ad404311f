"""The verdict on the energy of an inference, by the rounds that measured it."""

from __future__ import annotations

from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.results.compare.likeness import other_machine, other_state, other_work
from edgerig.results.compare.rounds import by_rounds
from edgerig.results.compare.times import Metric, undecided
from edgerig.results.compare.types import MetricVerdict
from edgerig.results.compare.under_load import why_not_load
from edgerig.results.energy import energy_of, energy_rounds, energy_source
from edgerig.results.types import CellResult

#: All that a rail feeds is in it, idle power and other work included, so that it varies more than a latency.
ENERGY = Metric(name="energy", words="the energy of an inference", unit="J", margin=0.05, slower=False)


def energy_verdict(
    cells: tuple[CellResult, CellResult], hosts: tuple[MachineState, MachineState], *, paired: bool
) -> dict[str, MetricVerdict]:
    """The verdict on ``energy``; none where neither of the two has any.

    Args:
        hosts: The machines that ran edgerig. paired: Whether the rounds of the two took turns.
    """
    energies = [energy_of(cell) for cell in cells]
    if all(isinstance(energy, Unavailable) for energy in energies):
        return {}
    a, b = (energy.value if isinstance(energy, Measurement) else None for energy in energies)
    kind = next(energy.kind for energy in energies if isinstance(energy, Measurement))
    refused = _why_not(cells, hosts, energies)
    if refused is not None:
        return {ENERGY.name: undecided(ENERGY, refused, a, b, kind=kind)}
    rounds = [energy_rounds(cell) for cell in cells]
    numbers = [[number for number, _ in each] for each in rounds]
    series = [[joules for _, joules in each] for each in rounds]
    paired = paired and numbers[0] == numbers[1]
    why = "some round took none: its counter did not move"
    return {ENERGY.name: by_rounds(ENERGY, series, (a, b), None, 0.0, paired, why, kind)}


def _why_not(
    cells: tuple[CellResult, CellResult], hosts: tuple[MachineState, MachineState], energies: list[Quantity]
) -> str | None:
    """Why two energies cannot be compared; None where they can."""
    known: list[Measurement] = []
    for side, energy in zip("AB", energies, strict=True):
        if isinstance(energy, Unavailable):
            return f"{side} has no energy: {energy.reason}"
        known.append(energy)
    first, second = known
    if first.kind != second.kind:
        return f"A's energy is {first.kind}, B's {second.kind}: numbers of two kinds are not set against each other"
    sources = [energy_source(energy) for energy in known]
    if sources[0] != sources[1]:
        return f"the energies are of unlike rails or times: A's is {sources[0]}; B's is {sources[1]}"
    if (other := other_machine(cells[0].machine, cells[1].machine)) is not None:
        return f"the devices are not alike: {other}"
    if (other := other_state(cells[0].machine, cells[1].machine)) is not None:
        return f"the device was not set alike: {other}"
    a, b = cells[0].under_load, cells[1].under_load
    if a and b:
        if a.searched and b.searched:
            return "each energy is of the highest rate of its own, and so at another load"
        return why_not_load(cells, hosts, a, b)
    return other_work(*cells)
