"""Machines, versions and how a cell was measured, as rows."""

from __future__ import annotations

import msgspec

from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.report.units import compact, show, when
from edgerig.report.values import Change, Fact
from edgerig.report.variant.under_load import load_facts
from edgerig.results.scenario import BatchAgreement
from edgerig.results.types import CellResult
from edgerig.text import counted


def machine_changes(before: MachineState, after: MachineState) -> tuple[Change, ...]:
    """The machine before and after the measurement."""
    pairs = zip(machine_facts(before), machine_facts(after), strict=True)
    return tuple(Change(a.label, a.value, b.value) for a, b in pairs)


def machine_facts(state: MachineState) -> tuple[Fact, ...]:
    """A machine as rows; a value that it does not report is named as unknown."""

    def optional(value: float | None, unit: str) -> str:
        return "not told" if value is None else show(value, unit)

    throttled = "not told" if state.throttled is None else "yes" if state.throttled else "no"
    temperature = "not told" if state.temperature_c is None else f"{state.temperature_c:.1f} °C"
    frequency = "not told" if state.frequency_hz is None else f"{state.frequency_hz / 1e9:.2f} GHz"
    load = "not told" if state.load_1min is None else f"{state.load_1min:.2f}"
    return (
        Fact("machine", state.host),
        Fact("system", state.system),
        Fact("processor", state.cpu),
        Fact("architecture", state.architecture),
        Fact("usable cores", str(state.cores) if state.cores > 0 else "not told"),
        Fact("memory", optional(state.memory_bytes, "B")),
        Fact("memory available", optional(state.memory_free_bytes, "B")),
        Fact("load, 1 minute", load),
        Fact("frequency governor", state.governor or "not told"),
        Fact("frequency", frequency),
        Fact("temperature", temperature),
        Fact("throttled", throttled),
        Fact("virtual machine", state.virtual or "no"),
        Fact("time", state.time or "not told"),
    )


def measurement_facts(cell: CellResult) -> tuple[Fact, ...]:
    """How the cell was measured."""
    return (
        *([Fact("device", cell.device)] if cell.device else []),
        Fact("clock", cell.clock),
        *_cycle_model(cell),
        Fact("method", cell.method),
        Fact("measured samples", f"{cell.measured_samples:,}"),
        *([Fact("batch", f"{cell.batch} samples an inference")] if cell.batch > 1 else []),
        *_scenario(cell),
        Fact("warm-up", f"{cell.warmup:,}"),
        Fact("options", compact(cell.options) or "none"),
        Fact("started", when(cell.started), cell.started),
        Fact("took", show(cell.seconds, "s")),
    )


def _scenario(cell: CellResult) -> list[Fact]:
    """How samples came, where not one by one, and whether a batch changes what is predicted."""
    offline = cell.offline
    if isinstance(offline, msgspec.UnsetType):
        return load_facts(cell)
    turns = "one inference" if offline.inferences == 1 else f"{offline.inferences} inferences in turn"
    facts = [Fact("scenario", f"offline, batches of {counted(offline.batch, 'sample')}, {turns} each")]
    if offline.in_turn:
        facts.append(Fact("why in turn", offline.in_turn))
    if isinstance(offline.agreement, BatchAgreement):
        same, error = offline.agreement.same_class, offline.agreement.max_abs_error
        text = f"{same:.2%} of {offline.agreement.samples:,} samples; largest difference of an output {error:.3g}"
        facts.append(Fact("same as at its own batch", text))
    elif isinstance(offline.agreement, Unavailable):
        facts.append(Fact("same as at its own batch", offline.agreement.reason))
    return facts


def _cycle_model(cell: CellResult) -> list[Fact]:
    """The model from counts to cycles, and its error against silicon."""
    cycles = cell.cycles
    if not isinstance(cycles, Measurement) or cycles.kind != "modelled":
        return []
    return [Fact("cycle model", cycles.method.removeprefix("one inference, "))]


def version_facts(cell: CellResult) -> tuple[Fact, ...]:
    """The versions that are needed to repeat the measurement."""
    own = [Fact(cell.runtime, cell.runtime_version), Fact("edgerig", cell.machine.edgerig or "not told")]
    own.append(Fact("python", cell.machine.python or "not told"))
    known = {fact.label for fact in own}
    return (*own, *(Fact(name, version) for name, version in cell.machine.packages.items() if name not in known))
