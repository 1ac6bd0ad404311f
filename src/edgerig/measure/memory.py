"""Memory of this process: resident now, and at its peak."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from edgerig.measure import linux
from edgerig.measure.kinds import Measurement, Quantity, Unavailable


def reset_peak(root: Path = Path("/")) -> bool:
    """Let the peak be counted from now on; whether the system allows it.

    Writing 5 to ``clear_refs`` sets ``VmHWM`` to what is resident now: proc(5), since Linux 4.0.
    """
    try:
        (root / "proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def current_rss(root: Path = Path("/")) -> Quantity:
    """Bytes of this process that lie in physical memory now."""
    kib = _status(root, "VmRSS")
    if kib is None:
        return Unavailable("this system has no /proc/self/status")
    return _bytes(kib * 1024, "VmRSS of /proc/self/status")


def peak_rss(root: Path = Path("/"), *, since: str = "the start of the process") -> Quantity:
    """The most bytes of this process that lay in physical memory at once.

    Args:
        since: From when on; for the method's text. After a `reset_peak` that worked, say what it marked.
    """
    kib = _status(root, "VmHWM")
    if kib is not None:
        return _bytes(kib * 1024, f"VmHWM of /proc/self/status, since {since}")
    # ru_maxrss counts KiB on Linux and bytes on macOS, and knows no reset.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return _bytes(peak, "ru_maxrss of getrusage, since the start of the process")


def _status(root: Path, field: str) -> int | None:
    match = re.search(rf"^{field}:\s*(\d+) kB", linux.read(root / "proc/self/status") or "", re.MULTILINE)
    return int(match[1]) if match else None


def _bytes(value: int, method: str) -> Measurement:
    return Measurement(value=float(value), unit="B", kind="measured", method=method)
