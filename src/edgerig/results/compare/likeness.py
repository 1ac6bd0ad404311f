"""The common properties that make two results comparable, and notes on those in which they differ."""

from __future__ import annotations

from collections.abc import Iterator

from edgerig.measure.kinds import Measurement
from edgerig.measure.machine import MachineState
from edgerig.results.compare.types import Side
from edgerig.results.types import CellResult, RunResult
from edgerig.text import counted

#: Properties that identify a machine. Its name is not among them: each container has a new one.
MACHINE = ("architecture", "cpu", "cores", "memory_bytes")
#: Difference of memory between two runs on one machine, as a share: kernels reserve some.
_MEMORY = 0.1


def side_of(source: str, run: RunResult, cell: CellResult) -> Side:
    """The description of one side of a comparison."""
    machine = cell.machine
    return Side(
        source=source,
        cell=cell.id,
        artifact=cell.artifact.name,
        sha256=cell.artifact.sha256,
        size=cell.artifact.size,
        runtime=cell.runtime,
        runtime_version=cell.runtime_version,
        target=cell.target,
        device=cell.device,
        processor=f"{machine.cpu}, {machine.cores} cores",
        clock=cell.clock,
        dataset=run.dataset.name,
        edgerig=run.edgerig,
        rounds=max(1, len(cell.rounds)),
    )


def why_not_times(a: CellResult, b: CellResult) -> str | None:
    """Why the times of two cells' inferences cannot be compared; None where they can."""
    return why_not_clocks(a, b) or other_work(a, b)


def why_not_clocks(a: CellResult, b: CellResult) -> str | None:
    """Why the clocks of two cells cannot be set against each other, whatever they timed; None where they can."""
    if (other := other_machine(a.machine, b.machine)) is not None:
        return f"the devices are not alike: {other}"
    if (other := other_state(a.machine, b.machine)) is not None:
        return f"the device was not set alike: {other}"
    kinds = [time.kind if isinstance(time := cell.latency.steady, Measurement) else None for cell in (a, b)]
    if None in kinds:
        return "one of the two has no time"
    if kinds[0] != kinds[1]:
        return f"A's time is {kinds[0]}, B's is {kinds[1]}: numbers of two kinds are not set against each other"
    if kinds[0] != "measured":
        return f"the times are {kinds[0]}, not measured; instructions are compared exactly"
    clocks = [cell.clock.partition(",")[0] for cell in (a, b)]
    if clocks[0] != clocks[1]:
        return f"the clocks are not alike: {clocks[0]} and {clocks[1]}"
    return None


def why_not_memory(a: CellResult, b: CellResult) -> str | None:
    """Why the memory of the processes of two cells cannot be compared; None where it can."""
    if (other := other_machine(a.machine, b.machine)) is not None:
        return f"the devices are not alike: {other}"
    if a.measured_samples != b.measured_samples:
        return (
            f"A's process was given {counted(a.measured_samples, 'sample')}, which are part of its memory, B's "
            f"{b.measured_samples:,}"
        )
    return other_work(a, b)


def other_settings(a: CellResult, b: CellResult) -> Iterator[str]:
    """A sentence where one engine was set otherwise for the two, such as by its threads."""
    if a.runtime != b.runtime:
        return
    names = [name for name in {**a.options, **b.options} if a.options.get(name) != b.options.get(name)]
    if names:
        pairs = (
            f"{name} {a.options.get(name, 'as by default')} and {b.options.get(name, 'as by default')}"
            for name in names
        )
        yield f"A and B differ in settings of the runtime: {'; '.join(pairs)}."


def why_not_counts(a: CellResult, b: CellResult) -> str | None:
    """Why the instructions of two emulated cells cannot be compared; None where they can."""
    if (other := other_machine(a.machine, b.machine)) is not None:
        return f"the boards are not alike: {other}"
    counts = [count.kind if isinstance(count := cell.instructions, Measurement) else None for cell in (a, b)]
    if None in counts:
        return "one of the two has no count of instructions"
    if counts[0] != counts[1]:
        return f"A's instructions are {counts[0]}, B's {counts[1]}"
    if a.device != b.device:
        return f"the boards are not alike: {a.device} and {b.device}"
    return other_work(a, b)


def other_work(a: CellResult, b: CellResult) -> str | None:
    """How an inference of one is other work than that of the other, apart from the network; None if it is not."""
    if a.batch != b.batch:
        return f"an inference of A takes {counted(a.batch, 'sample')}, one of B {b.batch}"
    return other_build(a, b)


def other_build(a: CellResult, b: CellResult) -> str | None:
    """How the firmware of one is built otherwise than that of the other; None where it is not, or there is none."""
    builds = [cell.firmware.build if hasattr(cell.firmware, "build") else {} for cell in (a, b)]
    differing = [key for key in builds[0] if builds[0][key] != builds[1].get(key, builds[0][key])]
    if differing:
        key = differing[0]
        return f"the firmware is not built alike: {key} {builds[0][key]} and {builds[1][key]}"
    return None


def one_network(a: CellResult, b: CellResult) -> bool:
    """Whether both are the same file with the same inputs on the same engine and machine.

    Engines have other kernels for other processors.
    """
    names = ("sha256", "preprocessing", "judged_output", "state")
    same_file = all(getattr(a.artifact, name) == getattr(b.artifact, name) for name in names)
    if other_machine(a.machine, b.machine) is not None:
        return False
    return same_file and (a.runtime, a.runtime_version, a.options) == (b.runtime, b.runtime_version, b.options)


def why_not_quality(a: RunResult, b: RunResult) -> str | None:
    """Why the quality of two runs cannot be compared; None where it can."""
    if a.dataset.fingerprint != b.dataset.fingerprint:
        return f"the data are not alike: {a.dataset.name} and {b.dataset.name} hold other test samples"
    return None


def differences(a: Side, b: Side) -> Iterator[str]:
    """Differences between the two that do not prevent the comparison, in sentences."""
    for name, words in (
        ("edgerig", "edgerig"),
        ("runtime", "the runtime"),
        ("runtime_version", "the runtime's version"),
        ("device", "the device"),
    ):
        first, second = getattr(a, name), getattr(b, name)
        if first != second and not (name == "runtime_version" and a.runtime != b.runtime):
            yield f"A and B differ in {words}: {first} and {second}."


def other_state(a: MachineState, b: MachineState) -> str | None:
    """What one machine was set to otherwise in the meantime, and its times and energy depend on; None if nothing."""
    if a.governor != b.governor and None not in (a.governor, b.governor):
        return f"frequency governor {a.governor} and {b.governor}"
    if a.on_battery != b.on_battery and None not in (a.on_battery, b.on_battery):
        return f"{'A' if a.on_battery else 'B'} ran on its battery, {'B' if a.on_battery else 'A'} did not"
    return None


def other_machine(a: MachineState, b: MachineState) -> str | None:
    """The property in which two machines differ, with its values; None where they are alike."""
    for name in MACHINE:
        first, second = getattr(a, name), getattr(b, name)
        if first == second or None in (first, second):
            continue
        if name == "memory_bytes" and abs(first - second) <= _MEMORY * max(first, second):
            continue
        return f"{name.replace('_', ' ')} {first} and {second}"
    return None
