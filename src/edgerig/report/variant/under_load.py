"""What a cell did under load, as figures and facts of the report."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Measurement, Quantity
from edgerig.report.units import show
from edgerig.report.values import Fact
from edgerig.results.types import CellResult
from edgerig.results.under_load import Trial, UnderLoad


def load_quantities(cell: CellResult) -> tuple[tuple[str, Quantity], ...]:
    """The figures under load by name; none in the other scenarios."""
    load = cell.under_load
    if isinstance(load, msgspec.UnsetType):
        return ()
    rate = () if isinstance(load.rate, msgspec.UnsetType) else ((_rate_name(load), load.rate),)
    parts = [("latency", load.latency), ("inference", load.inference), ("transport", load.transport)]
    if load.scenario == "server":
        parts.insert(1, ("queueing", load.queueing))
    tails = tuple(
        (f"{name} under load, {which}", getattr(tail, which)) for name, tail in parts for which in ("p50", "p90", "p99")
    )
    late = (("lateness of the host, p99", load.late),) if load.scenario == "server" else ()
    return (
        *rate,
        ("throughput under load, requests", load.throughput),
        *tails,
        *late,
        ("one request alone, there and back", load.alone),
        ("sessions at work", load.busy),
    )


def load_figure(cell: CellResult, name: str) -> Quantity | None:
    """A figure under load for the table of variants, by name; None where the cell's scenario has none.

    ``throughput`` of streams; ``rate``, the highest within the bound, where it was searched; ``p50``, ``p90`` and
    ``p99`` of the latency.
    """
    load = cell.under_load
    if isinstance(load, msgspec.UnsetType):
        return None
    if name == "throughput":
        # Where requests arrive at a rate, the throughput says that rate.
        return load.throughput if load.scenario == "streams" else None
    if name == "rate":
        return None if isinstance(load.rate, msgspec.UnsetType) or not load.searched else load.rate
    quantity: Quantity = getattr(load.latency, name)
    return quantity


def load_facts(cell: CellResult) -> list[Fact]:
    """How the load was made, and which clock its times are of."""
    load = cell.under_load
    if isinstance(load, msgspec.UnsetType):
        return []
    sessions = "1 session" if load.streams == 1 else f"{load.streams} sessions"
    if load.scenario == "streams":
        how = f"streams: {sessions} at once, each takes its next request when the last is answered"
    else:
        how = f"server: Poisson arrivals in one queue before {sessions}"
    facts = [Fact("scenario", how), Fact("a request", f"one inference, samples: {load.batch}")]
    if load.bound is not None:
        verdict = "held" if load.holds else "not held"
        facts.append(Fact("latency bound", f"{show(load.bound, 's')} at p{load.percentile:g}: {verdict}"))
    if load.scenario == "server":
        facts += [Fact(f"rates tried, round {entry.number}", _trials(entry.trials)) for entry in load.rounds]
    clock = load.alone.clock if isinstance(load.alone, Measurement) else None
    facts.append(Fact("clock under load", f"{clock}; inference: {cell.clock}"))
    return facts


def _rate_name(load: UnderLoad) -> str:
    return "highest rate within the bound, requests" if load.searched else "arrivals, requests"


def _trials(trials: tuple[Trial, ...]) -> str:
    verdicts = {True: " holds", False: " fails", None: ""}
    return ", ".join(f"{trial.rate:.4g}/s{verdicts[trial.holds]}" for trial in trials)
