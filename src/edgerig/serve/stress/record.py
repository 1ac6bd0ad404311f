"""The raw times of a load."""

from __future__ import annotations

from array import array
from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

#: The columns of a record, in this order.
COLUMNS = ("due", "begun", "done", "server", "connect", "late")


class Record:
    """What one process measured, in ns of `time.monotonic_ns`; one entry a good reply, in the order of replies.

    Attributes:
        due: When the request was due. begun: when it was begun. done: when its reply was complete.
        server: What the server says its work took; -1 where it says nothing.
        connect: Times of opening connections. late: By how much the tool itself was late.
        failures: Number of failures by their kind.
    """

    def __init__(self) -> None:
        self.due, self.begun, self.done, self.server, self.connect, self.late = (array("q") for _ in COLUMNS)
        self.failures: Counter[str] = Counter()

    def columns(self) -> list[bytes]:
        """The columns as bytes."""
        return [getattr(self, name).tobytes() for name in COLUMNS]


class Part(msgspec.Struct, kw_only=True):
    """What one process hands over: its record, and how it fared itself.

    Attributes:
        columns: Of `Record`, as bytes of int64.
        failures: Number of failures by their kind.
        start, end: The span of the load in ns of `time.monotonic_ns`.
        cpu: CPU time of the process within it, in ns.
        waited: Requests that were due while all connections were busy.
        gone: Whether the load ended early, since the server refused all connections.
    """

    columns: list[bytes]
    failures: dict[str, int]
    start: int
    end: int
    cpu: int
    waited: int
    gone: bool = False

    def column(self, name: str) -> NDArray[np.int64]:
        """One column, shape (n,)."""
        return np.frombuffer(self.columns[COLUMNS.index(name)], np.int64)
