"""Requests over HTTP that are answered directly: their heads are known by their bytes, and no application is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edgerig.serve.requests import Request

#: Called once with an answer: its status, the lines of its head that belong to it, and the parts of its body.
Reply = Callable[[int, bytes, "Sequence[bytes | memoryview]"], None]
#: Bytes of a head that is remembered, and how many are.
LONGEST_HEAD, MOST_HEADS = 4096, 256


class Head(Protocol):
    """What a request's head says."""

    @property
    def length(self) -> int:
        """Bytes of the body."""
        ...


class DirectRequests(ABC):
    """Requests of a kind that is answered directly.

    Attributes:
        seconds: In which a body must be there.
    """

    seconds: float

    @abstractmethod
    def accept(self, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Head | None:
        """What a head says that HTTP's parser has found good, of a POST on a connection that is kept; None where the
        request is not answered directly. It depends on nothing but the head.

        Args:
            headers: Names, in lower case, and values.
        """

    @abstractmethod
    def run(self, head: Any, body: bytes, reply: Reply) -> Request | None:
        """Answer a request, now or later; None if it is to go the usual way, and nothing was done about it."""


class KnownHeads:
    """Remembers which heads are those of requests that are answered directly.

    Attributes:
        default_headers, default_lines: What every answer has, and its bytes.
    """

    def __init__(self, requests: DirectRequests) -> None:
        self.requests = requests
        self._heads: dict[bytes, Head] = {}
        self.get = self._heads.get
        self.default_headers: Sequence[tuple[bytes, bytes]] = ()
        self.default_lines = b""

    def learn(self, head: bytes, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Look at a head that the parser has read."""
        if len(head) > LONGEST_HEAD or head in self._heads:
            return
        accepted = self.requests.accept(url, headers)
        if accepted is not None:
            if len(self._heads) >= MOST_HEADS:
                self._heads.clear()
            self._heads[head] = accepted
