"""Times that a device's clock has measured, against those that the host has waited."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgerig.errors import AnswerError
from edgerig.measure.clocks import resolution_seconds
from edgerig.wire.answers.plausible import refused

#: How much faster than the host's a device's clock may run: oscillators without a crystal are off by a few percent.
CLOCK_TOLERANCE = 0.05
#: A clock that ticks at most so many seconds apart cannot stand still over an inference.
FINE_TICK = 10e-9
#: Resolution of the coarsest clock that is accepted, in seconds.
COARSEST_TICK = 1.0


def check_times(times_ns: NDArray[np.int64], clock: str, span_ns: int | None, who: str) -> None:
    """On-device times of the inferences of one or more requests.

    Args:
        clock: The device's clock with its resolution, as it told when it loaded the network.
        span_ns: Time on the host's clock within which they all ran, one after the other; None where the host's
            clock has nothing to do with the device's.

    Raises:
        AnswerError: One is negative, or zero on a clock that ticks finely, or they are longer than the host waited.
    """
    least = int(times_ns.min())
    tick = resolution_seconds(clock)
    if least < 0:
        raise refused(who, f"tells a time of {least} ns for an inference")
    if least == 0 and tick is not None and 0 < tick <= FINE_TICK:
        raise refused(who, f"tells a time of 0 ns for an inference, by a clock that ticks every {tick * 1e9:g} ns")
    if span_ns is not None:
        # Summed as floats: int64 overflows where a device tells its largest numbers.
        check_total(float(times_ns.sum(dtype=np.float64)), times_ns.size, clock, span_ns, who)


def check_total(total_ns: float, count: int, clock: str, span_ns: int, who: str) -> None:
    """The sum of the on-device times of ``count`` inferences; the rest as for `check_times`.

    One tick more than the host's span is allowed, however many inferences there are: they ran one after the other, so
    that each tick of the device's clock lies in one of them at most.

    Raises:
        AnswerError: It is longer than the host waited for them.
    """
    tick = min(resolution_seconds(clock) or 0.0, COARSEST_TICK)
    allowed = span_ns * (1 + CLOCK_TOLERANCE) + tick * 1e9
    if total_ns > allowed:
        what = "an inference" if count == 1 else f"{count:,} inferences"
        raise AnswerError(
            f"{who} tells {total_ns * 1e-9:.6g} s for {what} that were asked for and answered within "
            f"{span_ns * 1e-9:.6g} s: its clock runs {total_ns / span_ns:.1f} times too fast or more.",
            "Look at the frequency that its firmware or runtime takes its clock for.",
        )


def check_load(load_seconds: float, span_ns: int, who: str) -> None:
    """The time that loading took, against the time from sending the network to its answer on the host's clock.

    Raises:
        AnswerError: It is longer.
    """
    if load_seconds * 1e9 > span_ns * (1 + CLOCK_TOLERANCE):
        raise AnswerError(
            f"{who} tells {load_seconds:.6g} s for loading the network, and answered within {span_ns * 1e-9:.6g} s: "
            "its clock runs too fast.",
            "Look at the frequency that its firmware or runtime takes its clock for.",
        )
