"""What a clock check asks of a session over the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as Structural

import numpy as np

from edgerig.targets.base import Array
from edgerig.targets.remote.arrivals import as_bytes
from edgerig.targets.remote.clock_check import TimedRequests
from edgerig.targets.settings import Protocol
from edgerig.wire.client import WireClient


class RequestingSession(Structural):
    """What is used here of a session over the wire; see there."""

    client: WireClient
    protocol: Protocol
    largest: int
    bytes_in: int
    bytes_out: int

    def as_at_the_beginning(self, batches: list[Array]) -> list[Array]: ...
    def timed_request(self, views: Sequence[memoryview], count: int) -> tuple[int, int]: ...


class SessionRequests(TimedRequests):
    """What a clock check asks of a session, whose samples are run over and over."""

    def __init__(self, session: RequestingSession, batches: list[Array]) -> None:
        self.session, self.client, self._batches = session, session.client, batches
        self.by_run = session.protocol == "run"
        self.largest = min(session.largest, max(1, session.client.advised // session.bytes_in))
        self.ratio = max(0, session.bytes_out) / session.bytes_in

    def views(self, count: int) -> list[memoryview]:
        many = [np.resize(batch, (count, *batch.shape[1:])) for batch in self._batches]
        return [as_bytes(batch) for batch in self.session.as_at_the_beginning(many)]

    def run(self, count: int) -> tuple[int, int]:
        return self.session.timed_request(self.views(count), count)
