"""Requests to a session that an event loop sends and receives: it is told when there is something to do."""

from __future__ import annotations

import collections
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.targets.base import Array
from edgerig.targets.remote.arrivals import as_bytes
from edgerig.targets.remote.session import WireSession
from edgerig.wire import messages
from edgerig.wire.frame import Kind
from edgerig.wire.link import SocketLink

#: Seconds that the rest of an answer may take.
REST_SECONDS = 5.0


class Ran(msgspec.Struct, frozen=True):
    """One array (n, ...) for each output, and the on-device time of each inference in ns, shape (n,)."""

    outputs: tuple[Array, ...]
    times_ns: NDArray[np.int64]


class UnwaitedRuns:
    """Runs samples on a session of this machine, without a thread that waits for it.

    While one of these exists nothing else may use the session. It never waits, save for the rest of an answer that has
    begun to arrive, which a process of this machine sends at once. Whoever watches it looks at the time, too.

    Args:
        session: See `serves`.

    Attributes:
        patience: Seconds that the session may take for an answer.
        fd: The file descriptor to watch: readable when `receive` has something to do, or the session is lost; while
            `unsent`, writable when `send` has.
    """

    def __init__(self, session: WireSession) -> None:
        self._session, self._client, self.patience = session, session.client, session.client.timeout
        # For the rest of an answer that has begun: nobody else is served meanwhile.
        session.client.link.set_timeout(REST_SECONDS)
        link = session.client.link
        assert isinstance(link, SocketLink)
        self.fd = link.socket.fileno()
        self._left: Sequence[bytes | bytearray | memoryview] = ()
        #: Samples that were begun, before their first byte is sent; and number, count and start of those sent.
        self._waiting: collections.deque[tuple[list[memoryview], int]] = collections.deque()
        self._sent: collections.deque[tuple[int, int, int]] = collections.deque()

    @staticmethod
    def serves(session: object) -> bool:
        """Whether it can be used so: its network runs in a process of this machine, and takes many samples at once."""
        return (
            isinstance(session, WireSession)
            and session.pid is not None
            and session.protocol == "run"
            and isinstance(session.client.link, SocketLink)
            and session.client.link.duplex
        )

    @property
    def unsent(self) -> bool:
        """Whether bytes of a request wait to be sent."""
        return bool(self._left or self._waiting)

    def begin(self, inputs: Sequence[Array]) -> None:
        """Send samples, or as much of them as the session takes now; arrays (n, *call_shape), in the inputs' dtypes.

        Raises:
            TargetError: The session is lost.
        """
        views = [as_bytes(np.ascontiguousarray(array)) for array in inputs]
        self._waiting.append((views, len(inputs[0])))
        self.send()

    def send(self) -> None:
        """Send more of what waits.

        Raises:
            TargetError: The session is lost.
        """
        if self._left:
            self._left = self._client.continue_send(self._left)
        while self._waiting and not self._left:
            views, count = self._waiting.popleft()
            header = messages.pack_tensors(count, [view.nbytes for view in views])
            start = time.perf_counter_ns()
            number, self._left = self._client.begin(Kind.RUN, header, views)
            self._sent.append((number, count, start))

    def receive(self) -> Ran:
        """The next answer.

        Raises:
            InferenceError: The engine failed. TargetError: The session is lost, or its answer cannot be.
        """
        # Where nothing was asked for, whatever comes is the session's end.
        number, count, start = self._sent[0] if self._sent else (0, 0, 0)
        try:
            answer = self._client.receive_answer(number, count, start)
        finally:
            if self._sent:
                self._sent.popleft()
        return Ran(*self._session.checked(answer))

    @property
    def more(self) -> bool:
        """Whether another answer, or the beginning of one, has come with the last."""
        return bool(self._sent) and self._client.has_ahead
