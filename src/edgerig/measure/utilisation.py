"""Utilisation of a device over time: load, memory, clock frequency, temperature and power while a network runs.

The process that runs the network samples itself, between two requests and never within one, so that no timed inference
shares its core with the sampler. Its cost is bounded (`SHARE`) and part of the result. Loads are differences of
counters, so they cover all the time between two samples, however far apart these are.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec

from edgerig.measure import linux
from edgerig.measure.energy import EnergyMeter, rails_of
from edgerig.measure.gpu_load import gpu_loads
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.memory import current_rss
from edgerig.measure.power import energy_counters, kernel_sensors, of_graphics

#: Seconds between two samples at first; the sampler slows down where a sample is dear or the round is long.
FASTEST = 0.1
#: Largest share of the time that sampling may take, beside the first and the last sample, which are always taken.
SHARE = 0.01
#: Samples that are kept: at this number every second one is dropped, and the interval doubles.
MOST_SAMPLES = 256
PROCESS, MACHINE = "CPU load of the process", "CPU load of the machine"
GPU = "GPU load"
MEMORY, FREQUENCY = "memory of the process", "clock of the first core"
#: Seconds without a sample, and how many times as long as usual, from which on nobody knows what was drawn meanwhile:
#: the process was stopped, or the machine slept.
_PAUSE, _TIMES_USUAL = 2.0, 10.0
#: Seconds over which the machine's counter, which ticks each 10 ms, tells a load to about a fifth.
_SHORTEST = 0.05
#: Least CPU time, in seconds, after which a machine's counter that has not moved is taken to be broken.
_NOTICEABLE = 0.1


class Series(msgspec.Struct, frozen=True):
    """One quantity over time: ``values`` in ``unit``, one for each of `Utilisation.seconds`; None where there is none.

    Loads (unit ``1``) of the processor are over the time since the sample before: of the process in cores (2 = two
    cores fully), of the machine as a share of all its cores. That of a GPU is a share, over what its driver takes.
    """

    name: str
    unit: str
    values: tuple[float | None, ...]


class Utilisation(msgspec.Struct, frozen=True, kw_only=True, tag="utilisation", tag_field="is"):
    """What a device did while it ran a network.

    Attributes:
        seconds: When each sample was taken, since the first; increasing.
        series: By name: the loads (of GPUs, too), the process's memory, the first core's clock, ``temperature/NAME``,
            ``power/NAME``.
        unavailable: Name to reason, for what the device does not tell; ``energy/RAIL`` where that was lost.
        sampling_seconds: Time that all samples together took, outside of timed inferences.
        cpu_seconds: CPU time of the sampling thread for them.
        interval: Seconds between samples that the sampler aimed at in the end.
        inferences: Inferences from the first sample to the last.
        joules: Energy from the first sample to the last, by rail as `edgerig.measure.energy.rails_of` has them.
    """

    seconds: tuple[float, ...]
    series: tuple[Series, ...]
    unavailable: dict[str, str] = {}
    sampling_seconds: float = 0.0
    cpu_seconds: float = 0.0
    interval: float = FASTEST
    inferences: int = 0
    joules: dict[str, float] = {}


class _Sample(msgspec.Struct, frozen=True):
    """Raw readings of one moment; counters where the result has rates. ``joules``: since the first sample, by rail."""

    time: float
    inferences: int
    process: float
    machine: float | None
    levels: dict[str, tuple[str, float]]
    joules: dict[str, float]


class Sampler:
    """Samples this process and this machine whenever `tick` is called and a sample is due.

    Args:
        inferences: How many there were up to now.
        root: ``/``, or a folder that a test filled with the files of some other machine.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, inferences: int = 0, root: Path = Path("/"), clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._root, self._clock = root, clock
        self._samples: list[_Sample] = []
        self._spent = self._cpu = 0.0
        self._interval, self._due = FASTEST, 0.0
        self._unavailable: dict[str, str] = {}
        self._spans = array("d")
        self._meter = EnergyMeter()
        self._counted: dict[str, None] = {}
        self.tick(inferences, force=True)

    def tick(self, inferences: int, *, force: bool = False) -> bool:
        """Take a sample if one is due; whether it was. ``inferences``: how many there were up to now."""
        begin = self._clock()
        if begin < self._due and not force:
            return False
        cpu = time.thread_time()
        if self._samples:
            self._spans.append(begin - self._samples[-1].time)
        # Thinned out before it grows, so that the last sample, where energy and inferences end, always stays.
        if len(self._samples) >= MOST_SAMPLES:
            del self._samples[1::2]
            self._interval *= 2
        self._samples.append(self._read(begin, inferences))
        end = self._clock()
        self._spent += end - begin
        self._cpu += time.thread_time() - cpu
        self._interval = max(self._interval, (end - begin) / SHARE)
        self._due = end + self._interval
        return True

    def finish(self, inferences: int) -> Utilisation:
        """A last sample, and all of them."""
        self.tick(inferences, force=True)
        samples = self._samples
        start = samples[0]
        levels = {name: unit for sample in samples for name, (unit, _) in sample.levels.items()}
        series = (
            Series(PROCESS, "1", self._rates(lambda sample: sample.process)),
            *self._machine(),
            *(Series(name, unit, tuple(_level(sample, name) for sample in samples)) for name, unit in levels.items()),
            *(Series(f"power/{rail}", "W", self._power(rail)) for rail in self._counted),
        )
        shown = {entry.name.partition("/")[0] for entry in series}
        missing = {name: reason for name, reason in self._unavailable.items() if name not in shown}
        joules, lost = self._meter.joules, self._meter.lost
        pause = self._pause()
        if pause is not None:
            joules, lost = {}, dict.fromkeys([*joules, *lost], pause)
        missing |= {f"energy/{rail}": reason for rail, reason in lost.items()}
        return Utilisation(
            seconds=tuple(sample.time - start.time for sample in samples),
            series=series,
            unavailable=missing,
            sampling_seconds=self._spent,
            cpu_seconds=self._cpu,
            interval=self._interval,
            inferences=inferences - start.inferences,
            joules=rails_of(joules, lost),
        )

    def _pause(self) -> str | None:
        """Why the energy between the first and the last sample is not that of inferences; None where it may be."""
        longest = max(self._spans, default=0.0)
        usual = sorted(self._spans)[len(self._spans) // 2] if self._spans else 0.0
        if longest < _PAUSE or longest < _TIMES_USUAL * usual:
            return None
        return f"it stood still for {longest:.1f} s in the middle, so that its energy is not that of inferences"

    def _read(self, now: float, inferences: int) -> _Sample:
        levels: dict[str, tuple[str, float]] = {}
        memory = current_rss(self._root)
        if isinstance(memory, Measurement):
            levels[MEMORY] = ("B", memory.value)
        else:
            self._unavailable[MEMORY] = memory.reason
        frequency = linux.frequency_hz(self._root)
        if frequency is not None:
            levels[FREQUENCY] = ("Hz", frequency)
        else:
            self._unavailable[FREQUENCY] = "the machine has no cpufreq that tells the current frequency"
        loads = gpu_loads(self._root)
        levels |= {f"{GPU} of {name}": ("1", load) for name, load in loads.items()}
        if not loads:
            self._unavailable[GPU] = "the kernel tells that of no GPU (NVIDIA's cards are not asked)"
        watts: dict[str, float] = {}
        for name, quantity in kernel_sensors(self._root).items():
            kind, _, rail = name.partition("/")
            if isinstance(quantity, Unavailable):
                self._unavailable[name] = quantity.reason
            elif kind != "energy":
                levels[name] = (quantity.unit, quantity.value)
                if kind == "power" and not of_graphics(quantity):
                    watts[rail] = quantity.value
        counters = energy_counters(self._root)
        self._counted |= dict.fromkeys(rail for rail in counters if f"power/{rail}" not in levels)
        self._meter.read(now, counters, watts)
        busy, _ = linux.busy_seconds(self._root)
        return _Sample(now, inferences, time.process_time(), busy, levels, self._meter.joules)

    def _power(self, rail: str) -> tuple[float | None, ...]:
        """Watts of a rail that counts joules."""
        return self._rates(lambda sample: sample.joules.get(rail))

    def _rates(self, counter: Callable[[_Sample], float | None], shortest: float = 0.0) -> tuple[float | None, ...]:
        """The increase of a counter per second, over the time up to each sample; None for the first, and for times that
        are not longer than ``shortest`` seconds."""
        rates: list[float | None] = [None]
        for before, after in pairwise(self._samples):
            low, high, span = counter(before), counter(after), after.time - before.time
            rates.append((high - low) / span if low is not None and high is not None and span > shortest else None)
        return tuple(rates)

    def _machine(self) -> list[Series]:
        """The load of the machine, if its counter is one: a sandbox may show a ``/proc/stat`` that stands still."""
        first, last = self._samples[0], self._samples[-1]
        if first.machine is None or last.machine is None:
            self._unavailable[MACHINE] = "the machine has no /proc/stat that tells the time its cores worked"
            return []
        own = last.process - first.process
        if last.machine - first.machine < own / 2 and own > _NOTICEABLE:
            self._unavailable[MACHINE] = "/proc/stat shows less work than this process alone did"
            return []
        cores = linux.cores_total() or 1
        # The last sample may follow closely upon another, in whose time the counter has ticked or has not.
        rates = self._rates(lambda sample: sample.machine, _SHORTEST)
        # The counter ticks each 10 ms: over a short time it shows up to a tenth more than all cores can do.
        values = tuple(None if rate is None else min(1.0, rate / cores) for rate in rates)
        return [Series(MACHINE, "1", values)]


def _level(sample: _Sample, name: str) -> float | None:
    return sample.levels[name][1] if name in sample.levels else None
