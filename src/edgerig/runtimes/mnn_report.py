"""What MNN tells of a run by its callbacks: the operators that ran, and their times."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgerig.measure.census import Census, Request, grouped
from edgerig.measure.kinds import Measurement, Unavailable
from edgerig.measure.profile import LayerTime

TRIM = 0.05
METHOD = "between MNN's callbacks before and after each operator; mean without the 5 % shortest and longest"
CENSUS_METHOD = (
    "the operators that MNN's callbacks tell of; int8 where they say so, for others the outputs of a sample, which "
    "are float32's bit for bit or not"
)
#: What MNN says behind the type of an operator whose tensors are quantized.
_QUANTIZED = "[ DT_INT8 ]"
#: Numbers of MNN's backends (`MNNForwardType`).
_BACKENDS = {0: "CPU", 13: "CPU, vector extensions"}


class Recorder:
    """Callbacks for `runSessionWithCallBackInfo`: operators and times of each run, in order."""

    def __init__(self) -> None:
        self._runs: list[list[tuple[str, str, int, tuple[int, ...] | None]]] = []
        self._start = 0

    def begin(self) -> None:
        """A run begins."""
        self._runs.append([])

    def before(self, tensors: Sequence[Any], operator: Any) -> bool:
        """Called by MNN before an operator; True: go on."""
        self._start = time.perf_counter_ns()
        return True

    def after(self, tensors: Sequence[Any], operator: Any) -> bool:
        """Called by MNN after it."""
        elapsed = time.perf_counter_ns() - self._start
        shape = tuple(int(size) for size in tensors[0].getShape()) if tensors else None
        self._runs[-1].append((operator.getName(), operator.getType().strip(), elapsed, shape))
        return True

    @property
    def operators(self) -> list[str]:
        """Types of the operators of the last run."""
        return [kind for _, kind, _, _ in self._runs[-1]]

    def layers(self) -> list[LayerTime]:
        """The operators with the mean of their times, without those of the first run, which is cold."""
        runs = self._runs[1:]
        if not runs or not runs[0]:
            return []
        same = all([row[:2] for row in run] == [row[:2] for row in runs[0]] for run in runs)
        layers = []
        for index, (name, kind, _, shape) in enumerate(runs[0]):
            quantity = (
                _mean([run[index][2] for run in runs])
                if same
                else Unavailable("MNN ran other operators from sample to sample")
            )
            layers.append(LayerTime(index=index, name=name, op=_name(kind), time=quantity, output_shape=shape))
        return layers


def census_of(kinds: Sequence[str], backends: int, dtype: str, requested: tuple[Request, ...]) -> Census:
    """Operators of those types, on the backends with that number, those that are not quantized in ``dtype``."""
    placement = _BACKENDS.get(backends, f"backend {backends} of MNN's")
    operators = [(_name(kind), placement, _type(kind, dtype)) for kind in kinds]
    return Census(operators=grouped(operators), method=CENSUS_METHOD, requested=requested)


def _type(kind: str, dtype: str) -> str:
    """The type that an operator computes in; Raster moves numbers of any."""
    if _name(kind) == "Raster":
        return ""
    return "int8" if kind.endswith(_QUANTIZED) or "Int8" in kind else dtype


def _name(kind: str) -> str:
    return kind.removesuffix(_QUANTIZED).rstrip()


def _mean(nanoseconds: Sequence[int]) -> Measurement:
    ordered = np.sort(np.asarray(nanoseconds, np.float64))
    cut = int(len(ordered) * TRIM)
    mean = float(ordered[cut : len(ordered) - cut].mean()) * 1e-9
    return Measurement(value=mean, unit="s", kind="measured", method=METHOD, clock="perf_counter_ns", n=len(ordered))
