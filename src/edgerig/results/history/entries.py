"""The entries that the index has of a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgerig.errors import StorageError
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.bundle import Bundle
from edgerig.results.energy import energy_of, energy_source
from edgerig.results.types import CellResult, RunResult
from edgerig.results.under_load import UnderLoad

#: Planned or counted figures that are indexed.
_MEMORY = ("peak_rss", "arena", "flash", "ram")
#: Part of every stamp. Changes with the figures that are indexed, so that bundles of before are taken up again.
_FIGURES = 2


class FigureEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one cell of one run, with its interval where it has one.

    ``device`` names what was measured: target, processor, and of an energy the rail.
    """

    cell: str
    device: str
    metric: str
    value: float
    unit: str
    kind: str
    low: float | None = None
    high: float | None = None


class RunEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One finished bundle.

    Attributes:
        bundle: Its folder, absolute. stamp: changes whenever its results are written.
        commit: Of the user's own sources, where known.
    """

    bundle: str
    stamp: str
    rig: str
    created: str
    commit: str
    edgerig: str
    dataset: str
    figures: tuple[FigureEntry, ...] = ()


def stamp_of(bundle: Path) -> str | None:
    """A text that changes when a bundle's results do; None where it is not finished."""
    try:
        state = (bundle / "results.json").stat()
    except OSError:
        return None
    return f"{_FIGURES}-{state.st_mtime_ns}-{state.st_size}"


def entry_of(bundle: Path) -> RunEntry:
    """The entry of a finished bundle.

    Raises:
        StorageError: It is not a finished bundle, or cannot be read.
    """
    stamp = stamp_of(bundle)
    if stamp is None:
        raise StorageError(f"{bundle} holds no finished run.", "Give the folder that `edgerig run --out` wrote.")
    run, commit = Bundle(bundle).result(), Bundle(bundle).header().commit
    return RunEntry(
        bundle=str(bundle.resolve()),
        stamp=stamp,
        rig=run.name,
        created=run.created,
        commit=commit,
        edgerig=run.edgerig,
        dataset=run.dataset.name,
        figures=tuple(_figures(run)),
    )


def _figures(run: RunResult) -> Iterator[FigureEntry]:
    for cell in run.cells:
        device = f"{cell.target} ({cell.machine.cpu})"
        for name, quantity in _quantities(cell):
            if isinstance(quantity, Measurement):
                # Energies of unlike rails are no series.
                rail = f", {energy_source(quantity).partition(' / ')[0]}" if name == "energy" else ""
                yield FigureEntry(
                    cell=cell.id,
                    device=device + rail,
                    metric=name,
                    value=quantity.value,
                    unit=quantity.unit,
                    kind=quantity.kind,
                    low=quantity.low,
                    high=quantity.high,
                )
        for metric in cell.quality.metrics:
            yield FigureEntry(
                cell=cell.id,
                device=device,
                metric=metric.name,
                value=metric.value,
                unit=metric.unit,
                kind="measured",
                low=metric.low,
                high=metric.high,
            )
        yield FigureEntry(
            cell=cell.id, device=device, metric="size", value=float(cell.artifact.size), unit="B", kind="measured"
        )


def _quantities(cell: CellResult) -> Iterator[tuple[str, Quantity | msgspec.UnsetType | None]]:
    yield "latency", cell.latency.steady
    yield "p99", cell.latency.p99
    yield "load", cell.latency.load
    for name in _MEMORY:
        yield name, cell.memory.get(name)
    yield "instructions", cell.instructions
    yield "cycles", cell.cycles
    yield "energy", energy_of(cell)
    if cell.under_load:
        yield from _under_load(cell.under_load)


def _under_load(load: UnderLoad) -> Iterator[tuple[str, Quantity | msgspec.UnsetType]]:
    """The figures under load that are the device's: of arrivals at a set rate the throughput says the rate."""
    if load.scenario == "streams":
        yield "throughput", load.throughput
    if load.searched:
        yield "rate", load.rate
    for name in ("p50", "p90", "p99"):
        yield f"{name}_under_load", getattr(load.latency, name)
