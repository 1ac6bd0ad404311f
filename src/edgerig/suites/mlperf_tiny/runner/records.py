"""What is kept of a session: a record for each file or window, and what identifies the session."""

from __future__ import annotations

from typing import Annotated

import msgspec

from edgerig.power.recording import Energy
from edgerig.suites.mlperf_tiny.runner.address import Mode
from edgerig.suites.mlperf_tiny.runner.device import Identity

#: Most inferences of one command: a C int.
MOST_ITERATIONS = 2**31 - 1
# A journal comes from a disk: what could not have been measured is no record.
Position = Annotated[int, msgspec.Meta(ge=0)]
Iterations = Annotated[int, msgspec.Meta(ge=1, le=MOST_ITERATIONS)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
SomeSeconds = Annotated[float, msgspec.Meta(gt=0)]


class SessionKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be equal for a session to be gone on with.

    Attributes:
        benchmark, mode: As on the command line.
        device: What the device says of itself.
        samples: Digest of names, labels and bytes of all samples.
        window_seconds, warm_up: How windows are measured.
        board: Address of an emulated board and digest of its network's file; empty for a real device, whose address
            changes when its cable is plugged in again.
        power: The power monitor with its settings; empty but in energy mode.
    """

    benchmark: str
    mode: Mode
    device: Identity
    samples: str
    window_seconds: float
    warm_up: int
    board: str = ""
    power: str = ""


class FileRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="file"):
    """What the device made of one file, in accuracy mode.

    Attributes:
        index: Its position among the samples.
        file, label: As ``y_labels.csv`` has them.
        outputs: Of each window: scores of classes that add up to 1, or one score where an input is reconstructed.
        seconds: Of all its inferences on the device's clock; None where the device sent no times.
    """

    index: Position
    file: str
    label: int
    outputs: tuple[tuple[float, ...], ...]
    seconds: Seconds | None


class WindowRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="window"):
    """One measured window, in performance or energy mode.

    Attributes:
        index: Its position, from 0.
        file, label: The sample that was run.
        iterations, warm_up: Inferences in it, and before it.
        seconds: Its length by the device's clock; in energy mode by the power monitor's, or by the host's until what
            was recorded is read.
        host_seconds: The same on the host's clock; None where the lines of begin and end came in one piece.
        trip_seconds: From the command to the end of the window, on the host's clock.
        outputs: The last inference's results, as they came.
        energy: What was drawn, in energy mode.
    """

    index: Position
    file: str
    label: int
    iterations: Iterations
    warm_up: Position
    seconds: SomeSeconds
    host_seconds: SomeSeconds | None
    trip_seconds: SomeSeconds
    outputs: tuple[float, ...]
    energy: Energy | None = None

    @property
    def throughput(self) -> float:
        """Inferences a second."""
        return self.iterations / self.seconds


class ColdRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cold"):
    """The first inference of the session, which is part of no window, and what is known of a window from a trial.

    Attributes:
        seconds: Of the first inference, on the clock of the windows.
        iterations: That make a window of the wanted length.
        trip_seconds: Of the host's, that a command took for each inference of a longer trial.
    """

    seconds: Seconds
    iterations: Iterations
    trip_seconds: Seconds


class ProbeRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="probe"):
    """Three short runs that show whether a window holds its inferences and nothing else.

    Attributes:
        iterations: n.
        plain, warmed, doubled: Seconds of ``infer n 0``, ``infer n n`` and ``infer 2n 0``, on the clock of the windows;
            the shortest of each, where they were run several times.
    """

    iterations: Iterations
    plain: Seconds
    warmed: Seconds
    doubled: Seconds


Record = FileRecord | WindowRecord | ColdRecord | ProbeRecord
