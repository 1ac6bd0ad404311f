"""The second ring of each session, for a way in that runs its samples by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edgerig.errors import EdgerigError
from edgerig.targets.remote.ring_runs import SharedRing


class SharedLane(Protocol):
    """A lane whose session has a second ring: `edgerig.serve.ring_lane.RingLane`."""

    @property
    def second(self) -> SharedRing | None: ...

    @property
    def patience(self) -> float: ...

    def nonsense(self, what: str, /) -> EdgerigError: ...

    def lose(self, error: EdgerigError, /) -> None: ...


class RingUser(Protocol):
    """Who runs samples in them.

    Attributes:
        waiting: Samples that wait for a session.
    """

    @property
    def waiting(self) -> int: ...

    def attach(self, lane: SharedLane, ring: SharedRing) -> None:
        """Give samples to a session, too."""

    def detach(self, lane: SharedLane, error: Exception | None) -> None:
        """A session is gone, for that reason; its ring ends at once."""

    def unreachable(self, error: Exception) -> None:
        """There are no sessions, and there will be none for now."""


class SecondRings:
    """Those of a pool's sessions. All is called on the pool's event loop.

    Args:
        lanes: Gives the pool's lanes: `edgerig.serve.ring_lane.RingLane`, or others, which have none.
    """

    def __init__(self, lanes: Callable[[], Sequence[Any]]) -> None:
        self._lanes = lanes
        self._user: RingUser | None = None

    @property
    def complete(self) -> bool:
        """Whether each session has one."""
        lanes = self._lanes()
        return all(hasattr(lane, "second") and (lane.second is not None or not lane.up) for lane in lanes)

    def use(self, user: RingUser | None) -> None:
        """Have somebody run samples in all sessions, and in those that take their places; None ends that."""
        self._user = user
        for lane in self._lanes():
            self.opened(lane)

    @property
    def waiting(self) -> int:
        """Samples of theirs that wait for a session."""
        return self._user.waiting if self._user is not None else 0

    def opened(self, lane: SharedLane) -> None:
        """A lane may have a session now."""
        if self._user is not None and lane.second is not None:
            self._user.attach(lane, lane.second)

    def ends(self, lane: SharedLane, error: Exception | None) -> None:
        """A lane's session is gone."""
        if self._user is not None:
            self._user.detach(lane, error)

    def unreachable(self, error: Exception) -> None:
        """There are no sessions."""
        if self._user is not None:
            self._user.unreachable(error)
