"""The base class of power monitors: instruments that sample what a device draws, and see the edges of a pin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from edgerig.errors import TargetError
from edgerig.plugins import Plugin
from edgerig.power.recording import Recording


class PowerMonitor(Plugin, ABC):
    """An instrument between a supply and a device.

    ::

        with make("power-monitor", "lpm01a", PowerMonitor, {"port": "/dev/ttyACM1"}) as monitor:
            monitor.start()
            ...  # the device works, and pulls its timestamp pin low at the beginning and the end
            energy = monitor.stop().last_window()

    Class attributes:
        feeds_device: Whether the device gets its power from it, so that it boots once the monitor is open.
    """

    feeds_device: ClassVar[bool] = False
    _opened = False
    _recording = False

    @property
    def live(self) -> bool:
        """Whether it records from `start` to `stop`. Else it is a file that another program recorded over a whole
        session, all of which `stop` returns each time."""
        return True

    def open(self) -> None:
        """Take the instrument over and set it up; a device that it feeds boots now.

        Raises:
            TargetError: It is not there or refuses. AnswerError: It answers nonsense.
        """
        if self._opened:
            raise TargetError(f"{type(self).__name__}.open: it is open already.", "Close it first.")
        # From here on `close` has something to set right.
        self._opened = True
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin to record.

        Raises:
            TargetError: It is not there any more, refuses, or records already.
        """
        self._check("start", recording=False)
        self._start()
        self._recording = True

    def stop(self) -> Recording:
        """End the recording; what came since `start`.

        Raises:
            TargetError: It went away, lost samples, or does not record.
            AnswerError: What it sent is no recording.
        """
        self._check("stop", recording=True)
        self._recording = False
        return self._stop()

    def close(self) -> None:
        """Leave the instrument stopped, and free the line; does nothing where it is closed."""
        opened, self._opened, self._recording = self._opened, False, False
        if opened:
            self._close()

    def _check(self, call: str, *, recording: bool) -> None:
        if not self._opened:
            raise TargetError(f"{type(self).__name__}.{call}: it is not open.", "Call open() first, or use `with`.")
        if self._recording != recording:
            words = "it records already" if self._recording else "it does not record"
            raise TargetError(f"{type(self).__name__}.{call}: {words}.", "start() and stop() take turns.")

    @abstractmethod
    def _open(self) -> None:
        """Connect and set up."""

    @abstractmethod
    def _start(self) -> None:
        """Begin to record; returns once the instrument does."""

    @abstractmethod
    def _stop(self) -> Recording:
        """End the recording and return it."""

    @abstractmethod
    def _close(self) -> None:
        """Stop the instrument, whatever state it is in, and free what is held; raises nothing."""

    def __enter__(self) -> PowerMonitor:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
