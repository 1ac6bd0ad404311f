"""A run as the owner of a device: it holds the lease from its first request to its end, over all its sessions.

A separate connection, the *keeper*, renews the lease, independent of the sessions. If the device or the link dies,
the keeper reconnects under the same fencing number, and so does the next session.
"""

from __future__ import annotations

import contextlib
import getpass
import logging
import math
import os
import platform
import threading
import time
from collections.abc import Callable

import msgspec

from edgerig.errors import EdgerigError, LeaseError, TargetError
from edgerig.measure.machine import MachineState
from edgerig.wire.client import WireClient
from edgerig.wire.messages import Hello
from edgerig.wire.ownership import Owner, new_owner_id

_logger = logging.getLogger(__name__)

#: Seconds that a run waits by default for the lease of a vanished owner to expire.
RUN_OUT_SECONDS = 45.0
#: A lease is renewed so many times in its life.
RENEWALS = 3
#: Least lease duration in seconds, used if a device reports less or an invalid one.
LEAST_LEASE = 1.0
_RETRY = 1.0
#: Longest name of a run; a microcontroller takes 256 B of header.
_NAME = 60


class LeaseHolder:
    """One run's right to one device.

    Args:
        connect: Makes a client, before HELLO. Must not keep the target alive.
        token: Secret that proves access if the device asks for a proof.
        require_proof: Whether a device that does not ask for the token is refused, as it may be an impostor.
        wait: Seconds to wait for a device that another run has.
        say: Called with warnings from the background; logs them by default.

    Attributes:
        device: What the device said of itself at the latest greeting; None before the first.
    """

    def __init__(
        self,
        connect: Callable[[], WireClient],
        token: bytes | None,
        require_proof: bool,
        wait: float,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._connect, self._token, self._require_proof, self._wait = connect, token, require_proof, wait
        self._say = say or _log_warning
        self._owner = Owner(new_owner_id(), run_name())
        self.device: Hello | None = None
        self._renewer: LeaseRenewer | None = None

    def greet(self, session: int = 0) -> tuple[WireClient, MachineState]:
        """A client for a session, that has said hello, and the device's state.

        Args:
            session: Its number among those that this run has open at once.

        Raises:
            LeaseError: Another run has the device. TargetError: It is not there, or refuses us.
        """
        if self._renewer is not None and self._renewer.died:
            self._say("nobody renews the lease any more: its thread has died. Another begins.")
            self.hold()
        if self._renewer is None:
            self.hold()
        return self._hello_with_wait(keeper=False, session=session)

    def hold(self) -> MachineState:
        """Own the device from now on; its state.

        Raises:
            LeaseError: Another run has the device. TargetError: It is not there, or refuses us.
        """
        client, state = self._hello_with_wait(keeper=True)
        grant = client.device.grant
        before, self._renewer = self._renewer, None
        if before is not None:
            before.close(release=False)
        if grant is None:
            # A device with a single host, such as a microcontroller, grants no lease.
            client.close()
        else:
            # A device may tell anything.
            seconds = grant.seconds if LEAST_LEASE <= grant.seconds < math.inf else LEAST_LEASE
            self._renewer = LeaseRenewer(client, seconds / RENEWALS, lambda: self._hello(keeper=True)[0], self._say)
        return state

    def close(self) -> None:
        """Give the device back."""
        renewer, self._renewer = self._renewer, None
        if renewer is not None:
            renewer.close(release=True)
            self._owner = Owner(new_owner_id(), self._owner.who)

    def _hello_with_wait(self, keeper: bool, session: int = 0) -> tuple[WireClient, MachineState]:
        start, announced = time.monotonic(), False
        while True:
            try:
                return self._hello(keeper, session)
            except LeaseError as error:
                if error.retry_after is None:
                    raise
                patience = self._wait
                if 0 < error.retry_after <= RUN_OUT_SECONDS:
                    patience = max(patience, RUN_OUT_SECONDS)
                if time.monotonic() - start >= patience:
                    raise
                if not announced:
                    self._say(f"{error.message} Waiting for it, {patience:g} s at most.")
                    announced = True
                # A device may tell anything.
                time.sleep(error.retry_after if 0 < error.retry_after < _RETRY else _RETRY)

    def _hello(self, keeper: bool, session: int = 0) -> tuple[WireClient, MachineState]:
        client = self._connect()
        try:
            owner = msgspec.structs.replace(self._owner, keeper=keeper, session=session)
            state = client.hello(owner, self._token)
            grant, self.device = client.device.grant, client.device
            if self._require_proof and not (grant and grant.proof):
                raise TargetError(
                    f"{client.who} does not ask for the token. Is it the device that you think?",
                    "Start its agent with --token-file, or leave the target's setting `token_file` out.",
                )
            if grant is not None:
                self._owner = msgspec.structs.replace(self._owner, fence=grant.fence)
        except BaseException:
            if keeper and client.device.grant is not None:
                # We rejected the device; release its lease.
                with contextlib.suppress(EdgerigError, OSError):
                    client.renew_lease(release=True)
            client.close()
            raise
        return client, state


class LeaseRenewer:
    """Renews a lease in a thread of its own, until it is closed or the lease is lost.

    Attributes:
        ended: Whether the thread has come to its end as it should.
    """

    def __init__(
        self, client: WireClient, every: float, connect: Callable[[], WireClient], say: Callable[[str], None]
    ) -> None:
        self._client, self._every, self._connect, self._say = client, every, connect, say
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.ended = False
        self._thread = threading.Thread(target=self._renew_until_closed, name="edgerig lease", daemon=True)
        self._thread.start()

    @property
    def died(self) -> bool:
        """Whether the thread has died unexpectedly."""
        return not self.ended and not self._thread.is_alive()

    def close(self, release: bool) -> None:
        """Stop renewing, and give the lease back if ``release``."""
        self._closed.set()
        with self._lock:
            if release:
                self._release()
            self._client.close()

    def _release(self) -> None:
        try:
            self._client.renew_lease(release=True)
        except (LeaseError, OSError):
            return
        except EdgerigError:
            # The device may have restarted since the last renewal, with a session after that.
            with contextlib.suppress(EdgerigError, OSError, ReferenceError):
                self._client.close()
                self._client = self._connect()
                self._client.renew_lease(release=True)

    def _renew_until_closed(self) -> None:
        """Renew until closed, whatever fails: else the device would pass to another run in the middle of this one."""
        reported = ""
        while True:
            try:
                self._run()
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                if what != reported:
                    self._say(
                        f"renewing the lease of {self._client.who} failed: {what}. It is begun anew, as often "
                        "as it takes. This is a fault of edgerig; please report it."
                    )
                reported = what
                # The connection may be in the middle of a message.
                self._client.broken = True
                if not self._closed.wait(min(_RETRY, self._every)):
                    continue
            self.ended = True
            return

    def _run(self) -> None:
        pause = self._every
        while not self._closed.wait(pause):
            try:
                self._renew()
                pause = self._every
            except LeaseError:
                return  # the next session raises it
            except (EdgerigError, OSError, ReferenceError):
                pause = min(_RETRY, self._every)

    def _renew(self) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            if not self._client.broken:
                self._client.renew_lease()
                return
        # Outside the lock: an address that does not answer must not delay `close`.
        client = self._connect()
        with self._lock:
            if self._closed.is_set():
                client.close()
            else:
                self._client.close()
                self._client = client


def _log_warning(text: str) -> None:
    _logger.warning("%s", text)


def run_name() -> str:
    """Who runs this, for messages to others: ``ann@desk, process 4711``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    tail = f", process {os.getpid()}"
    return f"{user}@{platform.node()}"[: _NAME - len(tail)] + tail
