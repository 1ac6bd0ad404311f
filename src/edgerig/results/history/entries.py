"""The entries that the index has of a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from edgerig.errors import NoBundleError
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.results.bundle import Bundle
from edgerig.results.energy import energy_of, energy_source
from edgerig.results.gate.limits import UNDER_LOAD
from edgerig.results.types import CellResult, RunResult
from edgerig.results.under_load import UnderLoad
from edgerig.tasks.judgement import MetricValue
from edgerig.text import counted

#: Planned or counted figures that are indexed.
_MEMORY = ("peak_rss", "arena", "flash", "ram")
#: Figures of an inference, which may take several samples.
_OF_AN_INFERENCE = frozenset({"latency", "p99", "instructions", "cycles", "energy"})
#: Part of every stamp. Changes with the figures that are indexed, so that runs of before are taken up again.
FIGURES = 5


class FigureEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one cell of one run, with its interval where it has one.

    ``device`` names what was measured: target, processor, the load or the samples of an inference where it is not one
    request of one sample after another, of an energy the rail, and of a quality the data.
    """

    cell: str
    device: str
    metric: str
    value: float
    unit: str
    kind: str
    low: float | None = None
    high: float | None = None


def figure_of_quantity(cell: str, device: str, name: str, quantity: Measurement) -> FigureEntry:
    """The entry of a time, a memory or an energy, of the kind that it says."""
    return FigureEntry(
        cell=cell,
        device=device,
        metric=name,
        value=quantity.value,
        unit=quantity.unit,
        kind=quantity.kind,
        low=quantity.low,
        high=quantity.high,
    )


def data_of(samples: int, dataset: str, fingerprint: str) -> str:
    """The data that a quality is of, for the end of ``device``: qualities on other data are no series.

    >>> data_of(500, "mnist", "a412c5d9eaf53ef7")
    ', 500 samples of mnist a412c5d9'
    """
    return f", {counted(samples, 'sample')} of {dataset} {fingerprint[:8]}".rstrip()


def figure_of_metric(cell: str, device: str, metric: MetricValue) -> FigureEntry:
    """The entry of a task's metric: qualities are measured, wherever the network runs."""
    return FigureEntry(
        cell=cell,
        device=device,
        metric=metric.name,
        value=metric.value,
        unit=metric.unit,
        kind="measured",
        low=metric.low,
        high=metric.high,
    )


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
    return f"{FIGURES}-{state.st_mtime_ns}-{state.st_size}"


def entry_of(bundle: Path) -> RunEntry:
    """The entry of a finished bundle.

    Raises:
        StorageError: It is not a finished bundle, or cannot be read.
    """
    stamp = stamp_of(bundle)
    if stamp is None:
        raise NoBundleError(f"{bundle} holds no finished run.", "Give the folder that `edgerig run --out` wrote.")
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
                yield figure_of_quantity(cell.id, device + _work(name, cell) + rail, name, quantity)
        data = data_of(cell.measured_samples, run.dataset.name, run.dataset.fingerprint)
        for metric in cell.quality.metrics:
            yield figure_of_metric(cell.id, device + data, metric)
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
    if cell.offline:
        yield "throughput", cell.offline.throughput
    if cell.under_load:
        yield from _under_load(cell.under_load)


def _work(metric: str, cell: CellResult) -> str:
    """The work that a figure is of, where it is not that of one sample: figures of other work are no series."""
    if metric == "peak_rss":
        # The samples that a process is given are part of its memory.
        return f", {counted(cell.measured_samples, 'sample')}"
    if metric in UNDER_LOAD and cell.offline:
        return f", batches of {cell.offline.batch:,}"
    if metric in UNDER_LOAD and cell.under_load:
        return f", {_load(cell.under_load)}"
    return f", {cell.batch:,} samples an inference" if metric in _OF_AN_INFERENCE and cell.batch > 1 else ""


def _load(load: UnderLoad) -> str:
    """Everything that makes a load another one, in words."""
    sessions = counted(load.streams, "stream" if load.scenario == "streams" else "session")
    requests = "" if load.batch == 1 else f" with requests of {load.batch} samples"
    if load.searched:
        return f"{sessions}{requests}, within {load.bound:g} s at p{load.percentile:g}"
    if isinstance(load.rate, Measurement):
        return f"{sessions}{requests}, {load.rate.value:g} arrivals a second"
    return f"{sessions}{requests}"


def _under_load(load: UnderLoad) -> Iterator[tuple[str, Quantity | msgspec.UnsetType]]:
    """The figures under load that are the device's: of arrivals at a set rate the throughput says the rate."""
    if load.scenario == "streams":
        yield "throughput", load.throughput
    if load.searched:
        yield "rate", load.rate
    for name in ("p50", "p90", "p99"):
        yield f"{name}_under_load", getattr(load.latency, name)
