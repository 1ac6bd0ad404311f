"""Leases: which run owns the device, under which fencing number, and until when.

The number grows with every lease and is kept in the agent's folder, so that it grows over restarts as well. An owner
whose link died may come back within the lease's time, or later as long as nobody else came. Whoever comes back after
another run has taken the lease over is *stale*, and refused.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from edgerig.errors import LeaseError, StorageError
from edgerig.files import write_json
from edgerig.wire.ownership import Owner

#: Seconds that a lease lasts without a message from its owner.
LEASE_SECONDS = 30.0
#: Seconds that a new owner waits for the previous one, whose session may be ending.
HANDOVER_SECONDS = 3.0
FILE = "leases.json"
#: Permissions of that file.
PRIVATE = 0o600
GIVEN_BACK = "The run gave the device back."
#: Number of owners that are remembered after they lost their lease.
_REMEMBERED = 200


class Session(Protocol):
    """A session that runs under a lease."""

    def revoke(self, why: LeaseError) -> None:
        """End soon, and tell the client why."""


class Lease:
    """One owner's right to the device. All fields are guarded by `Leases`."""

    def __init__(self, owner: str, who: str, fence: int, until: float) -> None:
        self.owner, self.who, self.fence, self.until = owner, who, fence, until
        self.connections = 0
        #: By their numbers: those that the run has open at once.
        self.sessions: dict[int, Session] = {}

    @property
    def named(self) -> bool:
        """Whether its owner can reconnect: an owner without an id cannot."""
        return bool(self.owner)


class _SavedLease(msgspec.Struct, frozen=True):
    """A lease as it lies on disk."""

    owner: str
    who: str
    fence: int


class _LeaseFile(msgspec.Struct, frozen=True):
    """The leases file: the last fencing number, the leases, and which owner lost one to which."""

    fence: int
    leases: tuple[_SavedLease, ...] = ()
    lost: dict[str, _SavedLease] = {}


class Leases:
    """All leases of a device.

    Args:
        slots: How many runs may own the device side by side.
        seconds: How long a lease lasts without a word from its owner.
        folder: Where they are kept over restarts; None for not at all. Numbers then begin with the clock's seconds,
            so that they still grow from one start to the next.
        log: Hears of leases that pass from one owner to another.

    Raises:
        StorageError: The folder cannot be read or written.
    """

    def __init__(
        self,
        slots: int = 1,
        seconds: float = LEASE_SECONDS,
        folder: Path | None = None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.slots, self.seconds, self._log = slots, seconds, log
        self._path = folder / FILE if folder is not None else None
        self._changed = threading.Condition()
        self._held: list[Lease] = []
        #: Given back, but their session still ends.
        self._ending: list[Lease] = []
        self._lost: dict[str, _SavedLease] = {}
        self._fence = int(time.time())
        self._load()

    def claim(
        self, owner: Owner | None, peer: str, wait: float | None = None, over: threading.Event | None = None
    ) -> Lease:
        """The lease of ``owner``, new or as before; one connection more holds it, until `leave`.

        Args:
            owner: Who asks; without an id the lease lasts as long as its connection.
            peer: Where the connection comes from.
            wait: Seconds to wait for somebody else to end; ``HANDOVER_SECONDS`` by default.
            over: Set when the connection has ended, and need not wait any more.

        Raises:
            LeaseError: Another owner has it, or has had it since.
            StorageError: It cannot be saved.
        """
        identity = owner.id if owner else ""
        who = printable(owner.who) if owner and owner.who else peer
        deadline = time.monotonic() + (HANDOVER_SECONDS if wait is None else wait)
        with self._changed:
            while True:
                held = next((lease for lease in self._held if lease.named and lease.owner == identity), None)
                if held is None:
                    self._refuse_stale(identity, owner.fence if owner else 0)
                    held = self._new(identity, who)
                if held is not None:
                    held.connections += 1
                    held.until = time.monotonic() + self.seconds
                    return held
                if time.monotonic() >= deadline or (over is not None and over.is_set()):
                    raise self._busy()
                self._changed.wait(min(0.2, max(0.0, deadline - time.monotonic())))

    def renew(self, lease: Lease) -> None:
        """Let ``lease`` last for its whole time from now on.

        Raises:
            LeaseError: It has passed to another owner.
        """
        with self._changed:
            if lease not in self._held:
                self._refuse_stale(lease.owner, lease.fence)
                raise LeaseError("The lease was given back.", "Begin a new run.")
            lease.until = time.monotonic() + self.seconds

    def leave(self, lease: Lease) -> None:
        """A connection of the owner has ended; it may reconnect within the lease's time."""
        with self._changed:
            lease.connections -= 1
            if lease in self._held:
                lease.until = time.monotonic() + self.seconds
                if not lease.named and not lease.connections:
                    self._held.remove(lease)
            self._changed.notify_all()

    def release(self, lease: Lease) -> None:
        """Give ``lease`` back: the next owner may come."""
        with self._changed:
            if lease not in self._held:
                return
            self._held.remove(lease)
            if lease.sessions:
                self._ending.append(lease)
            for session in lease.sessions.values():
                session.revoke(LeaseError(GIVEN_BACK, "Begin a new run."))
            self._save()
            self._changed.notify_all()

    def enter(self, lease: Lease, session: Session, number: int = 0) -> None:
        """Register ``session`` under ``lease``. A previous session of that number is ended: its link must have died.

        Number 0 ends all sessions of the run: a run that has one session at a time must not share the device with what
        is left of several.

        Raises:
            LeaseError: The lease has passed to another owner, or a session before does not end.
        """
        deadline = time.monotonic() + HANDOVER_SECONDS

        def before() -> list[Session]:
            return [each for other, each in lease.sessions.items() if number in (0, other)]

        with self._changed:
            for previous in before():
                previous.revoke(LeaseError("Another session of the same run took over.", "Begin a new run."))
            self._changed.wait_for(lambda: not before(), max(0.0, deadline - time.monotonic()))
            if lease not in self._held:
                self._refuse_stale(lease.owner, lease.fence)
                raise LeaseError("The lease was given back.", "Begin a new run.")
            if before():
                raise LeaseError("A session of the same run has not ended yet.", "Try again.", 0.0)
            lease.sessions[number] = session

    def exit(self, lease: Lease, session: Session) -> None:
        """``session`` has ended, if it is still under ``lease``."""
        with self._changed:
            lease.sessions = {number: each for number, each in lease.sessions.items() if each is not session}
            if not lease.sessions and lease in self._ending:
                self._ending.remove(lease)
            self._changed.notify_all()

    # ---- under the lock

    def _new(self, owner: str, who: str) -> Lease | None:
        """A new lease, if a slot is free or a lease has expired; else None."""
        if len(self._held) + len(self._ending) < self.slots:
            return self._grant(owner, who)
        now = time.monotonic()
        over = [lease for lease in self._held if lease.named and lease.until < now]
        if not over:
            return None
        old = min(over, key=lambda lease: lease.until)
        self._held.remove(old)
        new = self._grant(owner, who, instead_of=old)
        self._log(f"lease {old.fence} of {old.who} has run out; {who} takes the device with lease {new.fence}")
        for session in old.sessions.values():
            session.revoke(self._stale(old.fence, self._lost[old.owner]))
        # Two networks at the same time would disturb each other's times.
        self._changed.wait_for(lambda: not old.sessions, HANDOVER_SECONDS)
        return new

    def _grant(self, owner: str, who: str, instead_of: Lease | None = None) -> Lease:
        self._fence += 1
        lease = Lease(owner, who, self._fence, time.monotonic() + self.seconds)
        if instead_of is not None:
            self._lost[instead_of.owner] = _SavedLease(owner, who, lease.fence)
            for forgotten in list(self._lost)[:-_REMEMBERED]:
                del self._lost[forgotten]
        self._held.append(lease)
        try:
            self._save()
        except StorageError:
            self._held.remove(lease)
            raise
        return lease

    def _refuse_stale(self, owner: str, fence: int) -> None:
        by = self._lost.get(owner) if owner else None
        first = self._held[0] if self._held else None
        if by is None and fence and self.slots == 1 and first and first.named and first.fence > fence:
            # Without a folder nothing is known from before a restart, but another run holds the device now.
            by = _SavedLease(first.owner, first.who, first.fence)
        if by is not None:
            raise self._stale(fence, by)

    def _stale(self, fence: int, by: _SavedLease) -> LeaseError:
        return LeaseError(
            f"The device has passed to {by.who}, with lease {by.fence}; lease {fence} of this run has run out.",
            "Begin the run again, with --resume, once that one is done.",
        )

    def _busy(self) -> LeaseError:
        if not self._held:
            return LeaseError("The device is busy: a session is just ending.", "Try again.", 1.0)
        lease = min(self._held, key=lambda lease: lease.until if lease.named else float("inf"))
        what = f"The device is busy: {lease.who} has it, with lease {lease.fence}"
        if not lease.named:
            return LeaseError(
                f"{what}, until that connection ends.", "Wait until that one is done, and try again.", 0.0
            )
        left = max(0.0, lease.until - time.monotonic())
        clock = (datetime.now(UTC) + timedelta(seconds=left)).strftime("%H:%M:%S UTC")
        if lease.connections:
            return LeaseError(
                f"{what}, until {clock} and longer if it renews that.",
                "Wait until that run is done, and try again; or set the target's setting `wait`.",
                0.0,
            )
        return LeaseError(
            f"{what}, until {clock} if it does not come back before.", f"Try again in {left:.0f} s.", max(left, 0.1)
        )

    # ---- on disk

    def _load(self) -> None:
        if self._path is None:
            return
        try:
            saved = msgspec.json.decode(self._path.read_bytes(), type=_LeaseFile)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StorageError(
                f"Cannot read {self._path}: {error}.", "Remove it if no run is going on with this device."
            ) from error
        with contextlib.suppress(OSError):
            # An older version may have written it readable by all. If another user owns it, it is replaced soon.
            self._path.chmod(PRIVATE)
        self._fence, self._lost = max(saved.fence, 0), dict(saved.lost)
        until = time.monotonic() + self.seconds
        self._held = [Lease(k.owner, k.who, k.fence, until) for k in saved.leases[: self.slots]]

    def _save(self) -> None:
        if self._path is not None:
            held = tuple(_SavedLease(lease.owner, lease.who, lease.fence) for lease in self._held if lease.named)
            # A run's id authenticates it, so the file is private.
            write_json(self._path, _LeaseFile(self._fence, held, self._lost), PRIVATE)


def printable(text: str, most: int = 80) -> str:
    """Text from a client, with characters that cannot be printed replaced; at most ``most`` characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:most])
