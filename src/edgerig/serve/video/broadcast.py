"""One encoding of each picture for all viewers: each gets the newest, and a slow one holds up nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec


class Encoded(msgspec.Struct, frozen=True):
    """A picture as viewers get it.

    Attributes:
        turn: Counts the pictures from 1. jpeg: Its bytes. about: JSON that goes with it.
    """

    turn: int
    jpeg: bytes
    about: bytes


class Broadcast:
    """The newest picture, and who waits for the next one; for one event loop.

    Args:
        outdated: Whether something newer than the newest picture could be shown. A viewer who comes when nobody watched
            then waits for a picture of that: the newest one may be as old as the pause.

    Attributes:
        newest: The picture; None where there is none to show. viewers: How many watch. closed: Whether no more come.
    """

    def __init__(self, outdated: Callable[[], bool]) -> None:
        self._outdated, self._turn = outdated, 0
        self.newest: Encoded | None = None
        self.viewers = 0
        self.closed = False
        self._changed = asyncio.Event()
        self._watched = asyncio.Event()

    def put(self, jpeg: bytes, about: bytes) -> None:
        """Show a picture to everybody who waits."""
        self._turn += 1
        self.newest = Encoded(self._turn, jpeg, about)
        self._wake()

    async def after(self, turn: int) -> Encoded | None:
        """The newest picture, once it is later than ``turn``; None after `close`."""
        while not self.closed and (self.newest is None or self.newest.turn <= turn):
            await self._changed.wait()
        return None if self.closed else self.newest

    @contextmanager
    def watching(self) -> Iterator[None]:
        """A viewer is there during the block."""
        if not self.viewers and self._outdated():
            self.newest = None
        self.viewers += 1
        self._watched.set()
        try:
            yield
        finally:
            self.viewers -= 1
            if not self.viewers:
                self._watched.clear()

    async def watched(self) -> None:
        """Wait until there is a viewer."""
        await self._watched.wait()

    def close(self) -> None:
        """No more pictures: all waits end."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
