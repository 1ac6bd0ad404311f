"""From an address on the command line to a power monitor."""

from __future__ import annotations

from collections.abc import Callable

from edgerig.errors import UnknownNameError
from edgerig.suites.mlperf_tiny.power.base import PowerMonitor

#: Makes a monitor out of its whole address, by the address's scheme: what stands before the first colon.
MONITORS: dict[str, Callable[[str], PowerMonitor]] = {}


def monitor_at(address: str) -> PowerMonitor:
    """The monitor at ``address``, ``SCHEME:..``, not yet opened.

    Raises:
        UnknownNameError: There is no monitor of that scheme.
    """
    scheme = address.partition(":")[0]
    if scheme not in MONITORS:
        raise UnknownNameError("power monitor", scheme, MONITORS)
    return MONITORS[scheme](address)
