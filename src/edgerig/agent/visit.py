"""One session of a client: starts its worker, supervises it, and reports how it ended."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from edgerig.agent.admission import hang_up, send_error
from edgerig.agent.lease import GIVEN_BACK, Lease, Leases
from edgerig.agent.tls_relay import relay
from edgerig.agent.worker_process import WorkerLimits, WorkerProcess
from edgerig.errors import LeaseError, TargetError
from edgerig.wire import messages
from edgerig.wire.link import SocketLink

#: Seconds after a client's end in which its worker may end by itself.
GRACE = 1.0
_TICK = 0.2
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class SessionHost:
    """What the sessions of one agent have in common.

    Args:
        leases: All leases of the device.
        runtimes: Runtimes that clients may ask for.
        folder: Where each session's folder is made; None for the temporary folder.
        idle: Seconds without a request after which a session ends.
        limits: What a session may use.
        log: Hears of sessions.

    Attributes:
        workers: The processes of the sessions that are under way.
        stopping: Whether the agent ends, and every session with it.
    """

    def __init__(
        self,
        leases: Leases,
        *,
        runtimes: Sequence[str],
        folder: Path | None,
        idle: float,
        limits: WorkerLimits,
        log: Callable[[str], None],
    ) -> None:
        self.leases, self.runtimes, self.folder = leases, tuple(runtimes), folder
        self.idle, self.limits, self.log = idle, limits, log
        self.workers: set[WorkerProcess] = set()
        self.stopping = False


class Visit:
    """One session: starts its worker, supervises it, and reports how it ended.

    ``number`` is that of the session among those that its run has open at once.
    """

    def __init__(self, host: SessionHost, link: SocketLink, lease: Lease, who: str, number: int = 0) -> None:
        self.host, self.link, self.lease, self.who, self.number = host, link, lease, who, number
        self._revoked: LeaseError | None = None
        self._over = False

    def revoke(self, why: LeaseError) -> None:
        """End soon, and send the client the reason."""
        self._revoked = why

    def run(self) -> None:
        """Run the session from its worker's start to its end."""
        leases = self.host.leases
        try:
            leases.enter(self.lease, self, self.number)
        except LeaseError as error:
            send_error(self.link, 0, messages.failure_of(error))
            raise
        try:
            if isinstance(self.link.socket, ssl.SSLSocket):
                self._run_behind_relay(self.link.socket)
            else:
                with self._worker(self.link.socket) as worker:
                    self._attend(worker)
                    self._last_words(worker)
        finally:
            leases.exit(self.lease, self)

    def _run_behind_relay(self, outer: ssl.SSLSocket) -> None:
        """As without TLS, with a thread between that relays what TLS carries to the worker's socket."""
        ours, theirs = socket.socketpair()
        with ours, theirs, self._worker(theirs) as worker:
            theirs.close()
            relaying = threading.Thread(target=relay, args=(outer, ours, lambda: self._over), daemon=True)
            relaying.start()
            try:
                self._attend(worker, relaying)
                # The worker's last answer may still be in the relay.
                relaying.join(GRACE)
            finally:
                self._over = True
                relaying.join()
            self._last_words(worker)

    @contextlib.contextmanager
    def _worker(self, connected: socket.socket) -> Iterator[WorkerProcess]:
        host = self.host
        worker = WorkerProcess(
            connected, runtimes=host.runtimes, idle=host.idle, parent_folder=host.folder, limits=host.limits
        )
        host.workers.add(worker)
        host.log(f"{self.who}: session begins, lease {self.lease.fence} of {self.lease.who}, process {worker.pid}")
        try:
            yield worker
        finally:
            worker.kill()
            host.workers.discard(worker)
            host.log(f"{self.who}: session ended")

    def _attend(self, worker: WorkerProcess, relaying: threading.Thread | None = None) -> None:
        """Wait until the worker has ended; return early if it must be ended: revoked, or its client is gone."""
        poll = select.poll()
        poll.register(self.link.socket, _GONE)
        gone_since: float | None = None
        while worker.process.poll() is None and not self.host.stopping and self._revoked is None:
            if gone_since is None:
                gone = poll.poll(_TICK * 1000) or (relaying is not None and not relaying.is_alive())
                gone_since = time.monotonic() if gone else None
            elif time.monotonic() - gone_since > GRACE:
                return
            else:
                time.sleep(0.01)

    def _last_words(self, worker: WorkerProcess) -> None:
        """Send the client the reason for the session's end."""
        if self._revoked is not None:
            worker.process.kill()
            worker.process.wait()
            # The next session need not wait until this client has been notified.
            self.host.leases.exit(self.lease, self)
            if self._revoked.message != GIVEN_BACK:
                self.host.log(f"{self.who}: {self._revoked.message}")
            send_error(self.link, 0, messages.failure_of(self._revoked))
            return
        reason = worker.why_dead() if worker.process.returncode else None
        if reason and not self.host.stopping:
            self.host.log(f"{self.who}: {reason}")
            hint = "The network crashes its engine; the agent lives on."
            send_error(self.link, 0, messages.failure_of(TargetError(reason[0].upper() + reason[1:], hint)))
        elif worker.process.poll() == 0:
            hang_up(self.link)
