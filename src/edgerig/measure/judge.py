"""Reasons to distrust a number, as sentences that are shown next to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgerig.measure.clocks import resolution_seconds
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.measure.machine import MachineState
from edgerig.measure.stats import WIDE_SPREAD, Distribution
from edgerig.text import counted

#: Median inferences shorter than this many clock ticks are measured too coarsely: an error of 1 %.
TICKS = 100
#: With fewer samples the median's interval is wide.
FEW_SAMPLES = 30
#: Relative change of the median from the first to the last quarter that is called a drift.
DRIFT = 0.1
#: Share of all cores' time taken by a hypervisor above which there is a warning.
STOLEN = 0.01
#: Load average a core above which a machine at rest is called busy.
BUSY = 0.5
#: Cores' worth of work by others that a free core must have room for.
SLACK = 0.2
#: Above this temperature small boards start to throttle.
HOT_C = 80.0
#: Rounds from which on Student's t (2.8 of five, 12.7 of two) no longer makes most of an interval's width.
ENOUGH_ROUNDS = 5
#: Ratio of an interval's bounds above which it says next to nothing of the figure.
WIDE_INTERVAL = 2.0


def judge(
    before: MachineState, after: MachineState, threads: int, distribution: Distribution | None, clock: str = ""
) -> list[str]:
    """Warnings about one measurement; empty if there are none.

    Args:
        before, after: The device's state around the measurement.
        threads: Threads that the engine was given.
        distribution: Of the inference times, in seconds, if there are any.
        clock: The clock and its resolution as `edgerig.measure.clocks.Clock` writes them: ``"name, 1 ns"``.
    """
    warnings = [
        *_threads(before, threads),
        *_others(before, after, threads),
        *_machine(after),
        *_throttled(before, after),
    ]
    warnings += judge_firmware(before)
    if distribution is not None:
        warnings += _distribution(distribution, clock)
    return warnings


def judge_rounds(medians: Sequence[float]) -> list[str]:
    """Warnings about the rounds of a cell, by the median latency of each; none where nothing speaks against them."""
    if len(medians) < 2 or min(medians) <= 0:
        return []
    low, high = min(medians), max(medians)
    if high / low - 1 <= WIDE_SPREAD:
        return []
    return [f"The rounds differ widely: the median of the slowest is {high / low - 1:.0%} above that of the fastest."]


def judge_width(figure: Quantity, rounds: int, words: str) -> list[str]:
    """A warning where few rounds leave the interval of a figure so wide that it says next to nothing.

    Args:
        rounds: How many stand behind the figure. words: What it is, for the sentence.
    """
    if not isinstance(figure, Measurement) or rounds >= ENOUGH_ROUNDS or not figure.low or figure.high is None:
        return []
    if figure.high / figure.low <= WIDE_INTERVAL:
        return []
    low, high = figure.low / figure.value, figure.high / figure.value
    return [
        f"{counted(rounds, 'round')} say little of {words}: the 95 % interval reaches from {low:.2g} to {high:.2g} "
        f"times the figure. Measure {ENOUGH_ROUNDS}."
    ]


def judge_machine(state: MachineState) -> list[str]:
    """Warnings about this machine in its present state; empty if it is fit to measure."""
    warnings = []
    if state.load_1min is not None and state.cores > 0 and state.load_1min > BUSY * state.cores:
        warnings.append(
            f"The machine is busy: a load of {state.load_1min:.1f} on {counted(state.cores, 'core')} "
            "over the last minute."
        )
    if state.throttled:
        warnings.append("The machine throttles now: cool it, or give it a stronger supply.")
    return warnings + _machine(state) + judge_kind(state)


def _threads(state: MachineState, threads: int) -> list[str]:
    if threads <= state.cores or state.cores < 1:
        return []
    return [f"{threads} threads on {counted(state.cores, 'core')}: they wait for each other, and times are longer."]


def _others(before: MachineState, after: MachineState, threads: int) -> list[str]:
    """Whether other processes took cores that the network needed, by the processor time that they used."""
    span = _change(before.uptime_seconds, after.uptime_seconds)
    busy = _change(before.busy_seconds, after.busy_seconds)
    own = _change(before.own_seconds, after.own_seconds)
    total = before.cores_total or before.cores
    if total < 1:
        return []
    warnings = []
    # The counters tick in hundredths of a second, so that a short span tells nothing.
    if span is None or busy is None or own is None or span < 0.5:
        if before.load_1min is not None and before.cores > 0 and before.load_1min > before.cores + SLACK:
            warnings.append(
                f"The machine was busy before: a load of {before.load_1min:.1f} on {counted(before.cores, 'core')}."
            )
        return warnings
    others = max(0.0, busy - own) / span
    if others > SLACK and others + min(threads, total) > total + SLACK:
        warnings.append(
            f"Other programs kept {others:.1f} of {counted(total, 'core')} busy meanwhile, and the network "
            f"used {counted(threads, 'thread')}: they competed."
        )
    stolen = _change(before.stolen_seconds, after.stolen_seconds) or 0.0
    if stolen / (span * total) > STOLEN:
        warnings.append(f"The hypervisor took {stolen / (span * total):.0%} of the processor's time for others.")
    return warnings


def _machine(state: MachineState) -> list[str]:
    warnings = []
    if state.governor is not None and state.governor != "performance":
        warnings.append(
            f"The frequency governor is {state.governor}, not performance: the frequency changes with the load "
            "(`cpupower frequency-set -g performance`)."
        )
    if state.on_battery:
        warnings.append("The machine runs on its battery, and may hold its frequency down.")
    if state.temperature_c is not None and state.temperature_c >= HOT_C:
        warnings.append(f"The machine is hot, {state.temperature_c:.0f} °C: it may throttle.")
    return warnings


def judge_firmware(state: MachineState) -> list[str]:
    """Build settings that make a firmware slower than the board allows, by the manifest in its image."""
    return [*judge_build(state), *_firmware_clock(state.packages)]


def judge_build(state: MachineState) -> list[str]:
    """Compiler settings that affect sizes as well as times."""
    build = state.packages
    warnings = []
    if build.get("fpu") == "off":
        warnings.append(
            "The firmware was built without the board's FPU: float arithmetic is many times slower, and kernels that "
            "use the FPU are left out."
        )
    if build.get("debug") == "yes":
        warnings.append("The firmware is a debug build.")
    elif build.get("optimization") in ("-O0", "-Og", "-O1"):
        warnings.append(f"The firmware was built with {build['optimization']}: the compiler hardly optimized.")
    return warnings


def _firmware_clock(build: Mapping[str, str]) -> list[str]:
    warnings = []
    clock, meant = build.get("clock_hz", ""), build.get("board_clock_hz", "")
    if clock.isdigit() and meant.isdigit() and int(clock) > int(meant):
        warnings.append(
            f"The processor is overclocked: {int(clock) / 1e6:g} of {int(meant) / 1e6:g} MHz. Its times are none "
            "of the data sheet's chip, and another one may compute wrong."
        )
    elif clock.isdigit() and meant.isdigit() and clock != meant:
        warnings.append(
            f"The processor runs at {int(clock) / 1e6:g} MHz; the board is made for {int(meant) / 1e6:g} MHz."
        )
    really = build.get("clock_set_hz", clock)
    if really != clock:
        warnings.append(
            f"The firmware takes its clock for {int(clock) / 1e6:g} MHz and has set it to {int(really) / 1e6:g} MHz: "
            "its times are wrong."
        )
    return warnings


def judge_kind(state: MachineState) -> list[str]:
    """Properties of the machine, whatever its state, that affect all of its numbers; stated once for each machine.

    A virtual machine's numbers are not suspect one by one: what a hypervisor did take away, `judge` tells.
    """
    if state.virtual in (None, "container"):
        return []
    return [f"{state.host} is a virtual machine ({state.virtual}): other guests may use the same cores."]


def _throttled(before: MachineState, after: MachineState) -> list[str]:
    events = _change(before.throttle_events, after.throttle_events)
    if before.throttled or after.throttled or events:
        return ["The processor throttled: times are longer than those of a cool machine."]
    return []


def _distribution(distribution: Distribution, clock: str) -> list[str]:
    warnings = []
    if distribution.n < FEW_SAMPLES:
        warnings.append(f"Only {counted(distribution.n, 'sample')}: measure at least {FEW_SAMPLES}.")
    if distribution.n > 1 and distribution.spread > WIDE_SPREAD:
        warnings.append(
            f"The times spread widely: the middle 80 % of them span {distribution.spread:.0%} of the median."
        )
    # A quarter of few samples is no median to speak of.
    if distribution.n >= FEW_SAMPLES and abs(distribution.drift) > DRIFT:
        word = "longer" if distribution.drift > 0 else "shorter"
        warnings.append(f"The times drift: the last quarter is {abs(distribution.drift):.0%} {word} than the first.")
    tick = resolution_seconds(clock)
    if tick is not None and distribution.median < TICKS * tick:
        warnings.append(f"The clock is coarse for times this short: it ticks every {tick * 1e9:.0f} ns.")
    return warnings


def _change(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
