"""What a protocol tells the tool that loads a server in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from edgerig.serve.stress.load import Load
from edgerig.serve.stress.slot import Owner, Slot


class StressProtocol(ABC):
    """One protocol.

    Class attributes:
        server_time: What the server's own time is, in words; where it tells none, why.
        tells_time: Whether it tells one.
    """

    server_time: ClassVar[str]
    tells_time: ClassVar[bool]

    def __init__(self, load: Load) -> None:
        self.load = load

    def prepare(self) -> None:
        """Learn from the server what is to be asked, once, before the load and outside of its times.

        Raises:
            TargetError: It is not there. WireError: It speaks another protocol.
        """
        return

    @abstractmethod
    def state(self) -> Any:
        """What `prepare` learnt, for other processes: a value that msgpack can hold."""

    @abstractmethod
    def restore(self, state: Any) -> None:
        """Take the ``state`` of a protocol that was prepared."""

    @abstractmethod
    def slot(self, owner: Owner) -> Slot:
        """A new connection, not yet open."""
