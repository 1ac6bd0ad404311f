"""The pin that tells a power monitor when the timed inferences begin and end."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from edgerig.errors import TargetError, UsageError
from edgerig.suites.mlperf_tiny.device.console import Mode

_logger = logging.getLogger(__name__)
#: Nanoseconds for which the pin is low: the protocol asks for 1 us at least.
LOW_NS = 10_000


def check_pin(path: Path | None, mode: Mode) -> None:
    """Refuse a pin that would never be pulled; say that without one a power monitor sees no marks.

    Raises:
        UsageError: There is a pin in performance mode.
    """
    if path is not None and mode != "energy":
        raise UsageError("--pin means nothing in performance mode.", "Give --mode energy, or leave it out.")
    if path is None and mode == "energy":
        _logger.warning(
            "no --pin: a power monitor on a wire of its own sees neither where the inferences begin nor where they end"
        )


class OutputPin:
    """A pin whose level a file sets, as Linux has it below ``/sys/class/gpio``; high from now on.

    Args:
        path: The file; its pin is an output already.

    Raises:
        TargetError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_WRONLY)
            os.write(self._fd, b"1")
        except OSError as error:
            raise TargetError(
                f"The pin {path} cannot be set: {error.strerror}.",
                "Export it and make it an output first: echo 79 > /sys/class/gpio/export; "
                "echo out > /sys/class/gpio/gpio79/direction.",
            ) from error

    def pulse(self) -> None:
        """Pull the pin low for `LOW_NS`, then high again.

        Raises:
            TargetError: The pin has gone.
        """
        try:
            os.write(self._fd, b"0")
            end = time.monotonic_ns() + LOW_NS
            while time.monotonic_ns() < end:
                pass
            os.write(self._fd, b"1")
        except OSError as error:
            raise TargetError(f"The pin {self.path} cannot be set: {error.strerror}.") from error
