"""Memory and machine state of a session; an impossible answer makes these unavailable, and costs nothing else."""

from __future__ import annotations

import contextlib

from edgerig.errors import AnswerError
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.measure.utilisation import Utilisation
from edgerig.targets.base import Session
from edgerig.text import one_line

#: Instead of samples, where the user wants none.
NOT_SAMPLED = Unavailable("sampling was switched off (`measure: {utilisation: false}`)")


def memory_of(session: Session) -> dict[str, Quantity]:
    """Bytes by name, or why there are none."""
    try:
        return session.memory()
    except AnswerError as error:
        return {"peak_rss": Unavailable(error.message.rstrip("."))}


def machine_of(session: Session) -> MachineState:
    """The state of the device; an empty one if the answer is impossible."""
    try:
        return session.machine()
    except AnswerError as error:
        return unknown_machine(one_line(error.message, 200))


def begin_utilisation(session: Session, wanted: bool) -> None:
    """Let the device sample itself, if that is wanted; one that cannot says so at the end."""
    if wanted:
        with contextlib.suppress(AnswerError):
            session.begin_utilisation()


def utilisation_of(session: Session, wanted: bool) -> Utilisation | Unavailable:
    """The samples since `begin_utilisation`; unavailable if there are none or the answer is impossible."""
    if not wanted:
        return NOT_SAMPLED
    try:
        return session.end_utilisation()
    except AnswerError as error:
        return Unavailable(error.message.rstrip("."))
