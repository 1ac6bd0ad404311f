"""What only hardware can tell, held against what a device says of itself."""

from __future__ import annotations

from edgerig.errors import IncompatibleError
from edgerig.targets.base import LoadReport


def refuse_emulated(report: LoadReport, what: str) -> None:
    """Refuse ``what``, such as latency under load, of a network whose hardware is emulated where it runs.

    Raises:
        IncompatibleError: It is.
    """
    if report.emulated:
        raise IncompatibleError(
            f"{what} is measured on hardware alone, and {report.runtime} ran on {report.emulated}, which is software.",
            "Measure where there is such hardware, or take another runtime.",
        )
