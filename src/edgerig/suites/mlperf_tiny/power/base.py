"""What the runner asks of a power monitor, whatever instrument it is.

The runner calls `PowerMonitor.start` before an ``infer``, `PowerMonitor.stop` after its ``m-ready``, and then
`PowerMonitor.window` once: the energy between the last two timestamps of the device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import msgspec


class HostWindow(NamedTuple):
    """When the host saw the measured inferences begin and end, on the clock of `time.monotonic`, in seconds.

    For monitors that do not see the device's timestamp pin.
    """

    begin: float
    end: float


class EnergyWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn between two timestamps.

    Attributes:
        joules: Energy.
        seconds: Length of the window, on the monitor's clock.
        samples: Readings of the monitor inside it.
        bounds: Where its begin and end come from: ``pin``, edges of the device's timestamp pin that the monitor saw;
            ``host``, lines that the host received, which are late by what the line takes.
    """

    joules: float
    seconds: float
    samples: int
    bounds: str


class PowerMonitor(ABC):
    """An instrument that measures what a device draws. A context manager: leaving it switches the supply off.

    Attributes:
        name: Of the instrument, for the report.
    """

    name: str = "power monitor"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @abstractmethod
    def open(self) -> None:
        """Connect, and supply the device with power where the instrument does that.

        Raises:
            TargetError: The instrument is not there, or does not answer.
        """

    @abstractmethod
    def start(self) -> None:
        """Begin to record; earlier samples and events are forgotten."""

    @abstractmethod
    def stop(self) -> None:
        """End the recording that `start` began."""

    @abstractmethod
    def window(self, host: HostWindow) -> EnergyWindow:
        """The energy between the last two timestamps in the recording that has ended.

        Args:
            host: When the host saw them; only for a monitor that does not see them itself.

        Raises:
            AnswerError: There are not two timestamps, or readings are missing in between.
        """

    @abstractmethod
    def close(self) -> None:
        """Switch the supply off, where there is one, and disconnect. Never raises."""
