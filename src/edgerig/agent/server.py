"""The agent: listens, and gives each session a worker process of its own."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgerig.agent.address import PORT, Address, listen, parse_address
from edgerig.agent.doorkeeper import Doorkeeper, Greeting, hang_up, tell
from edgerig.agent.folders import own_folder
from edgerig.agent.lease import GIVEN_BACK, LEASE_SECONDS, Lease, Leases
from edgerig.agent.pump import pump
from edgerig.agent.spawn import WorkerLimits, WorkerProcess
from edgerig.agent.worker import describe_device
from edgerig.errors import EdgerigError, LeaseError, TargetError, UsageError
from edgerig.plugins import names
from edgerig.wire import messages
from edgerig.wire.frame import FrameReader, Kind, Limits, encode
from edgerig.wire.link import SocketLink
from edgerig.wire.messages import Failure, pack, unpack
from edgerig.wire.ownership import Grant, LeaseHeader
from edgerig.wire.unix import UnixAddress

__all__ = ["PORT", "Address", "Agent", "parse_address"]

#: Seconds that a client gets to introduce itself.
HELLO_SECONDS = 10.0
#: Connections that have not shown yet that they may come in; more are closed at once.
MAX_STRANGERS = 16
#: All connections; more are closed at once.
MAX_CONNECTIONS = 64
#: Seconds after a client's end in which its worker may end by itself.
GRACE = 1.0
_TICK = 0.2
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class Agent:
    """Serves this machine as a device under test.

    Args:
        address: Where to listen; port 0 takes a free one, `address` then tells which.
        folder: Where networks are put, each session in a folder of its own that is removed with it, and where leases
            are kept over restarts. None for the temporary folder, where nothing is kept.
        runtimes: Runtimes that clients may ask for; the registered ones if none is given.
        tls: Keys for TLS (`edgerig.wire.tls.device_context`); only clients with a certificate may come in.
        token: What clients must prove to know.
        insecure: Whether other addresses than loopback are allowed without either.
        sessions: How many runs may use the device side by side.
        lease: Seconds that a run keeps the device without a word.
        idle: Seconds without a request after which a session ends.
        limits: What a session may use.
        log: Hears of sessions.

    Raises:
        UsageError: The address is open to everybody, or it cannot be listened on, or another agent has the folder.
        StorageError: The folder cannot be used.
    """

    def __init__(
        self,
        address: Address | UnixAddress,
        *,
        folder: Path | None = None,
        runtimes: Sequence[str] = (),
        tls: ssl.SSLContext | None = None,
        token: bytes | None = None,
        insecure: bool = False,
        sessions: int = 1,
        lease: float = LEASE_SECONDS,
        idle: float = 600.0,
        limits: WorkerLimits | None = None,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        if isinstance(address, Address) and not (address.loopback or tls or token or insecure):
            raise UsageError(
                f"{address} can be reached from other machines, and the agent runs any network that anybody sends it.",
                "Give --tls or --token-file (docs/agent.md). Or listen on 127.0.0.1 and reach it through "
                f"`ssh -L {address.port}:127.0.0.1:{address.port} DEVICE`, or give --insecure if everybody on that "
                "network may use this machine.",
            )
        # A client must not make this machine import just anything by name.
        self.runtimes = tuple(runtimes) or tuple(names("runtime"))
        self.folder, self.idle, self.log = folder, idle, log
        self.limits = limits or WorkerLimits()
        self._doorkeeper = Doorkeeper(tls, token)
        self._stopping = self._crowded = False
        self._workers: set[WorkerProcess] = set()
        self._threads: set[threading.Thread] = set()
        self._strangers: set[threading.Thread] = set()
        self._lock = own_folder(folder)
        try:
            self._leases = Leases(sessions, lease, folder, log)
            self._listener, self.address = listen(address)
        except BaseException:
            self._unlock()
            raise

    def serve(self) -> None:
        """Serve clients until `stop` is called or an exception, such as Ctrl-C, ends it; leaves no worker behind."""
        try:
            while not self._stopping:
                ready, _, _ = select.select([self._listener], [], [], _TICK)
                if ready and not self._stopping:
                    self._accept()
        finally:
            self.close()

    def stop(self) -> None:
        """Let `serve` end soon; may be called from any thread."""
        self._stopping = True

    def close(self) -> None:
        """Stop listening, and end every worker at once."""
        self._stopping = True
        self._listener.close()
        for worker in list(self._workers):
            worker.kill()
        for thread in list(self._threads):
            thread.join(HELLO_SECONDS)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _accept(self) -> None:
        try:
            connected, peer = self._listener.accept()
        except OSError:
            return  # the client was gone before its call was taken
        who = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "a local client"
        crowded = len(self._strangers) >= MAX_STRANGERS or len(self._threads) >= MAX_CONNECTIONS
        if crowded:
            self._turn_away(connected, who)
        self._crowded = crowded
        if crowded:
            return
        thread = threading.Thread(target=self._connection, args=(connected, who), daemon=True)
        self._threads.add(thread)
        self._strangers.add(thread)
        thread.start()

    def _turn_away(self, connected: socket.socket, who: str) -> None:
        """Close a connection for which there is no room, without waiting for anybody."""
        text = f"Too many connections wait at the door of the agent: {len(self._threads)}."
        if not self._crowded:
            self.log(f"{who}: refused, as all that come until there is room: {text}")
        with contextlib.suppress(OSError), connected:
            if self._doorkeeper.context is None:
                busy = Failure(messages.BUSY, text, "It lets go of those that say nothing after a while.", (1.0,))
                connected.setblocking(False)
                connected.sendall(b"".join(encode(Kind.ERROR, 0, pack(busy))))
                connected.shutdown(socket.SHUT_WR)

    def _connection(self, connected: socket.socket, who: str) -> None:
        this = threading.current_thread()
        link: SocketLink | None = None
        try:
            greeting = self._doorkeeper.greet(connected, HELLO_SECONDS)
            link = greeting.link
            self._strangers.discard(this)
            self._visit(greeting, who)
        except (OSError, EdgerigError) as error:
            self.log(f"{who}: {error}")
        finally:
            # Wrapping in TLS has moved the descriptor into the link's own socket.
            (link or connected).close()
            self._strangers.discard(this)
            self._threads.discard(this)

    def _visit(self, greeting: Greeting, who: str) -> None:
        """Give the client a lease, answer its HELLO, and do what it came for."""
        link, request, owner = greeting.link, greeting.frame.request, greeting.owner
        try:
            lease = self._leases.claim(owner, who)
        except EdgerigError as error:
            self.log(f"{who}: refused: {error.message}")
            tell(link, request, messages.failure_of(error))
            return
        try:
            grant = Grant(lease.fence, self._leases.seconds, self.limits.model, greeting.proof)
            device, machine = describe_device(self.runtimes, Limits(payload=self.limits.message), grant)
            link.set_timeout(HELLO_SECONDS)
            link.send(encode(Kind.OK, request, pack(device), [memoryview(machine)], checked=link.checked))
            if owner is not None and owner.keeper:
                self._keep(link, lease)
            elif self._wait_for_request(link, self.idle):
                _Visit(self, link, lease, who).run()
        finally:
            self._leases.leave(lease)

    def _keep(self, link: SocketLink, lease: Lease) -> None:
        """Let the client renew its lease until it gives it back or goes away."""
        reader = FrameReader(link, Limits(header=4096, payload=0))
        # It is quiet between renewals.
        while self._wait_for_request(link, max(self.idle, self._leases.seconds)):
            link.set_timeout(HELLO_SECONDS)
            frame = reader.read()
            if frame.kind != Kind.LEASE:
                text = f"Messages of kind {frame.kind} are not understood on a connection that keeps a lease."
                tell(link, frame.request, Failure(messages.UNSUPPORTED, text))
                return
            asked: LeaseHeader = unpack(frame.header, LeaseHeader)
            try:
                if asked.release:
                    self._leases.release(lease)
                else:
                    self._leases.renew(lease)
            except LeaseError as error:
                tell(link, frame.request, messages.failure_of(error))
                return
            link.send(encode(Kind.OK, frame.request))

    def _wait_for_request(self, link: SocketLink, seconds: float) -> bool:
        """Whether the client asks for something before it hangs up or is silent for so long."""
        if isinstance(link.socket, ssl.SSLSocket) and link.socket.pending():
            return True
        poll = select.poll()
        poll.register(link.socket, select.POLLIN)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopping:
            if poll.poll(_TICK * 1000):
                # Through TLS one cannot peek; its end is told by the first read.
                plain = not isinstance(link.socket, ssl.SSLSocket)
                return bool(link.socket.recv(1, socket.MSG_PEEK)) if plain else True
        return False


class _Visit:
    """One session: a worker, and what there is to see to while it works."""

    def __init__(self, agent: Agent, link: SocketLink, lease: Lease, who: str) -> None:
        self.agent, self.link, self.lease, self.who = agent, link, lease, who
        self._revoked: LeaseError | None = None
        self._over = False

    def revoke(self, why: LeaseError) -> None:
        """End soon, and tell the client why."""
        self._revoked = why

    def run(self) -> None:
        """Have the session, from its worker's start to its end."""
        leases = self.agent._leases
        try:
            leases.enter(self.lease, self)
        except LeaseError as error:
            tell(self.link, 0, messages.failure_of(error))
            raise
        try:
            if isinstance(self.link.socket, ssl.SSLSocket):
                self._through_pump(self.link.socket)
            else:
                with self._worker(self.link.socket) as worker:
                    self._attend(worker)
                    self._last_words(worker)
        finally:
            leases.exit(self.lease, self)

    def _through_pump(self, outer: ssl.SSLSocket) -> None:
        """As without TLS, with a socket pair between."""
        ours, theirs = socket.socketpair()
        with ours, theirs, self._worker(theirs) as worker:
            theirs.close()
            pumping = threading.Thread(target=pump, args=(outer, ours, lambda: self._over), daemon=True)
            pumping.start()
            try:
                self._attend(worker, pumping)
                # What the worker said last is still under way.
                pumping.join(GRACE)
            finally:
                self._over = True
                pumping.join()
            self._last_words(worker)

    @contextlib.contextmanager
    def _worker(self, connected: socket.socket):  # type: ignore[no-untyped-def]
        agent = self.agent
        worker = WorkerProcess(
            connected, runtimes=agent.runtimes, idle=agent.idle, parent_folder=agent.folder, limits=agent.limits
        )
        agent._workers.add(worker)
        agent.log(f"{self.who}: session begins, lease {self.lease.fence} of {self.lease.who}, process {worker.pid}")
        try:
            yield worker
        finally:
            worker.kill()
            agent._workers.discard(worker)
            agent.log(f"{self.who}: session ended")

    def _attend(self, worker: WorkerProcess, pumping: threading.Thread | None = None) -> None:
        """Wait until the worker has ended; end it if it may not go on, or its client is gone and it does not notice."""
        poll = select.poll()
        poll.register(self.link.socket, _GONE)
        gone_since: float | None = None
        while worker.process.poll() is None and not self.agent._stopping and self._revoked is None:
            if gone_since is None:
                gone = poll.poll(_TICK * 1000) or (pumping is not None and not pumping.is_alive())
                gone_since = time.monotonic() if gone else None
            elif time.monotonic() - gone_since > GRACE:
                return
            else:
                time.sleep(0.01)

    def _last_words(self, worker: WorkerProcess) -> None:
        """Tell the client why there is no more to come."""
        if self._revoked is not None:
            worker.process.kill()
            worker.process.wait()
            # The next one need not wait until this client has heard.
            self.agent._leases.exit(self.lease, self)
            if self._revoked.message != GIVEN_BACK:
                self.agent.log(f"{self.who}: {self._revoked.message}")
            tell(self.link, 0, messages.failure_of(self._revoked))
            return
        reason = worker.why_dead() if worker.process.returncode else None
        if reason and not self.agent._stopping:
            self.agent.log(f"{self.who}: {reason}")
            hint = "The network crashes its engine; the agent lives on."
            tell(self.link, 0, messages.failure_of(TargetError(reason[0].upper() + reason[1:], hint)))
        elif worker.process.poll() == 0:
            hang_up(self.link)
