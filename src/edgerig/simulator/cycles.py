"""Cycle models with their error: cycles by instruction, held against real chips that they were not fitted to.

A model is the sum of what its core takes for each instruction (`edgerig.simulator.cores`) times one factor for
what that leaves out: wait states of flash, missed cache lines, branches foreseen otherwise. The factor is the median of
measured over modelled cycles of the `ANCHORS`. The error is found by leaving one out: each anchor is predicted with the
factor of the others, and the band reaches as far as the worst of these predictions was off, either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import msgspec

from edgerig.boards.board import CoreName
from edgerig.errors import SpecError
from edgerig.simulator.cores import CORES, Core


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """A published time on a real chip, of code whose instructions were counted.

    Attributes:
        code: What ran.
        chip: What it ran on.
        milliseconds, clock_hz: The time of one inference, and the processor's clock.
        instructions: Of one inference of that code, counted on a simulator.
        modelled: Cycles an instruction by the core's model, of that code or of code like it (see ``alike``).
        alike: What ``modelled`` was taken from where it is not the code itself.
    """

    code: str
    core: CoreName
    chip: str
    milliseconds: float
    clock_hz: int
    instructions: float
    modelled: float
    alike: str

    @property
    def measured(self) -> float:
        """Cycles an instruction on the chip."""
        return self.milliseconds * 1e-3 * self.clock_hz / self.instructions

    @property
    def ratio(self) -> float:
        """Measured over modelled cycles."""
        return self.measured / self.modelled


_CMSIS = "CMSIS-NN's kernels for the same network, as bakenn 1.0.0 calls them, GCC 12.2 -O3"
_TEXTBOOK = "a textbook convolution that works out every index, 8.3 instructions a multiplication, GCC 12.2 -O2"
#: All public times of code whose instructions are known. None of them was used to choose a core's costs.
ANCHORS = (
    Anchor(
        code="TFLite Micro, float MNIST network",
        core="cortex-m7",
        chip="STM32F746",
        milliseconds=126.31,
        clock_hz=216_000_000,
        instructions=28.89e6,
        modelled=0.905,
        alike=_TEXTBOOK,
    ),
    Anchor(
        code="TFLite Micro 2.1.0, the same network; instructions of the other version",
        core="cortex-m7",
        chip="STM32F746",
        milliseconds=220.5,
        clock_hz=216_000_000,
        instructions=28.89e6,
        modelled=0.905,
        alike=_TEXTBOOK,
    ),
    Anchor(
        code="microTVM with CMSIS-NN, keyword spotting int8; instructions of TFLite Micro with CMSIS-NN",
        core="cortex-m4",
        chip="STM32L4R5",
        milliseconds=99.8,
        clock_hz=120_000_000,
        instructions=7.64e6,
        modelled=1.217,
        alike=_CMSIS,
    ),
    Anchor(
        code="microTVM with CMSIS-NN, person detection int8; likewise",
        core="cortex-m4",
        chip="STM32L4R5",
        milliseconds=301.0,
        clock_hz=120_000_000,
        instructions=24.03e6,
        modelled=1.236,
        alike=_CMSIS,
    ),
    Anchor(
        code="microTVM with CMSIS-NN, image classification int8; likewise",
        core="cortex-m4",
        chip="STM32L4R5",
        milliseconds=390.0,
        clock_hz=120_000_000,
        instructions=30.02e6,
        modelled=1.276,
        alike=_CMSIS,
    ),
)


def leave_one_out(ratios: Sequence[float]) -> tuple[float, float]:
    """The least and the greatest of measured over predicted, each predicted with the median of the others.

    Args:
        ratios: Measured over modelled cycles, at least two.
    """
    errors = [ratio / median([*ratios[:i], *ratios[i + 1 :]]) for i, ratio in enumerate(ratios)]
    return min(errors), max(errors)


class CycleModel(msgspec.Struct, frozen=True):
    """A core's cycles as they are told.

    Attributes:
        factor: Told over the sum of the instructions' cycles; in hundredths, so that cycles are whole numbers that
            are the same everywhere.
        low, high: What the true number is of the told one, at least and at most, by the anchors.
    """

    core: CoreName
    factor: float
    low: float
    high: float

    def cycles(self, summed: int) -> int:
        """Cycles as they are told, of the sum over instructions."""
        return summed * round(self.factor * 100) // 100

    def bounds(self, value: float) -> tuple[float, float]:
        """From where to where the true number lies, if the told one is ``value``."""
        return value * self.low, value * self.high

    @property
    def parts(self) -> Core:
        """What each instruction costs."""
        return CORES[self.core]

    @property
    def short(self) -> str:
        """Its name, and its error in percent."""
        return f"{self.core} by instruction, {100 * self.low - 100:+.0f} to {100 * self.high - 100:+.0f} %"

    def __str__(self) -> str:
        return (
            f"{self.core}: a cost for each instruction, times {self.factor:.2f} for what waits for memory. "
            f"The band, {self.low:.2f} to {self.high:.2f} times the number, is the error at {len(ANCHORS)} published "
            "times of real chips, each left out in turn; it is no statistical interval"
        )


def cycle_model(core: CoreName) -> CycleModel:
    """The model of a core, with the error that the anchors show.

    Raises:
        SpecError: There is no model of that core.
    """
    if core not in CORES:
        raise SpecError(f"There is no cycle model of {core!r}.", f"Choose from: {', '.join(CORES)}.")
    ratios = [anchor.ratio for anchor in ANCHORS]
    low, high = leave_one_out(ratios)
    return CycleModel(core, round(median(ratios), 2), low, high)
