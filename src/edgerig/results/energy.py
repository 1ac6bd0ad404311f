"""Energy of an inference of a cell, where its device told its power."""

from __future__ import annotations

import msgspec

from edgerig.measure.energy import common_rail, energy_per_inference
from edgerig.measure.kinds import Measurement, Quantity, Unavailable
from edgerig.measure.utilisation import Utilisation
from edgerig.results.types import CellResult

#: Least samples of a round from which its energy is made: fewer tell the power of a moment.
FEWEST = 5
#: In the method of a figure between rounds: what stands before it is the method of a round.
BETWEEN_ROUNDS = ", median of "


def energy_of(cell: CellResult) -> Quantity:
    """Joules of an inference: energy over the measured window / inferences in it; median of rounds, with its interval.

    Under load it is that of the time under load. Rounds without samples, or that lost their energy, do not count; if
    others have some, those stand for the cell. What an emulator's host takes is no energy of the board.
    """
    if cell.under_load:
        return cell.under_load.energy
    steady = cell.latency.steady
    if isinstance(steady, Measurement) and steady.kind != "measured":
        return Unavailable("an emulator uses the host's energy, not the board's")
    sampled = [utilisation for _, utilisation in sampled_rounds(cell)]
    if not sampled:
        reasons = [entry.utilisation.reason for entry in cell.rounds if isinstance(entry.utilisation, Unavailable)]
        return Unavailable(reasons[0] if reasons else "no power meter was read during this run")
    if any(utilisation.joules and len(utilisation.seconds) < FEWEST for utilisation in sampled):
        return Unavailable(
            f"a round was too short for its power: fewer than {FEWEST} samples; a longer `measure.seconds` has more"
        )
    known = [utilisation for utilisation in sampled if utilisation.joules] or sampled
    return energy_per_inference([(entry.joules, entry.inferences) for entry in known], _missing(sampled))


def energy_rounds(cell: CellResult) -> tuple[tuple[int, float], ...]:
    """Joules of an inference in each round, with the round's number, by the rail of `energy_of`; none where that has no
    value."""
    if isinstance(energy_of(cell), Unavailable):
        return ()
    if cell.under_load:
        load = cell.under_load
        counted = [entry for entry in load.rounds if not load.searched or entry.rate is not None]
        return tuple((e.number, e.energy.value) for e in counted if isinstance(e.energy, Measurement))
    sampled = [(number, utilisation) for number, utilisation in sampled_rounds(cell) if utilisation.joules]
    rail = common_rail([utilisation.joules for _, utilisation in sampled])
    return tuple((number, u.joules[rail] / u.inferences) for number, u in sampled if rail is not None)


def energy_source(energy: Measurement) -> str:
    """The rail and the window of an energy, as its method names them: energies of unlike ones are not set against each
    other."""
    return energy.method.partition(BETWEEN_ROUNDS)[0]


def sampled_rounds(cell: CellResult) -> list[tuple[int, Utilisation]]:
    """The rounds, by number, in which the device was sampled."""
    return [
        (entry.number, entry.utilisation)
        for entry in cell.rounds
        if not isinstance(entry.utilisation, Unavailable | msgspec.UnsetType)
    ]


def _missing(sampled: list[Utilisation]) -> str:
    """Why no rail told its energy in all rounds: one that was lost or may not be read, else that there is no sensor."""
    reasons = {name: reason for utilisation in sampled for name, reason in utilisation.unavailable.items()}
    for name, reason in reasons.items():
        if name.startswith("energy/"):
            return f"{name.removeprefix('energy/')}: {reason}"
    return reasons.get("power", "no sensor told its power in all rounds")
