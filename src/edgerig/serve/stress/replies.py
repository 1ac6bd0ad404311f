"""Replies of a server under load, as far as they are looked at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple


class Reply(NamedTuple):
    """A good reply: what the server says its work took, in ns (None if it says nothing), and whether it hangs up."""

    server_ns: int | None
    closes: bool = False


class FailedReply(Exception):  # noqa: N818 - a result that is counted, not an error of the tool
    """A reply that is a failure. ``kind`` names it in the count, ``closes`` if the connection is of no use any more."""

    def __init__(self, kind: str, closes: bool = True) -> None:
        super().__init__(kind)
        self.kind, self.closes = kind, closes


class Parser(ABC):
    """Makes replies of the bytes of one connection, on which one request is open at a time."""

    @abstractmethod
    def feed(self, data: bytes) -> Reply | None:
        """The reply, once ``data`` completes it.

        Raises:
            FailedReply: It is none, or says that the request failed.
        """
