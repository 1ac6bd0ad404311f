"""What a session tells of its device; an answer that cannot be costs itself, and nothing that was measured."""

from __future__ import annotations

from edgerig.errors import AnswerError
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.targets.base import Session
from edgerig.text import one_line


def memory_of(session: Session) -> dict[str, Quantity]:
    """Bytes by name, or why there are none."""
    try:
        return session.memory()
    except AnswerError as error:
        return {"peak_rss": Unavailable(error.message.rstrip("."))}


def machine_of(session: Session) -> MachineState:
    """The state of the device, or one that tells nothing."""
    try:
        return session.machine()
    except AnswerError as error:
        return unknown_machine(one_line(error.message, 200))
