"""The agent: listens, and gives each session a worker process of its own."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edgerig.agent.address import PORT, Address, listen, parse_address
from edgerig.agent.admission import Admission, Greeting, send_error
from edgerig.agent.callers import Caller, Callers
from edgerig.agent.greeting import describe_device
from edgerig.agent.lease import LEASE_SECONDS, Lease, Leases
from edgerig.agent.quiet import QuietLog
from edgerig.agent.scratch import own_folder
from edgerig.agent.visit import SessionHost, Visit
from edgerig.agent.worker_process import WorkerLimits
from edgerig.errors import EdgerigError, IncompatibleError, LeaseError, UsageError
from edgerig.plugin_names import names
from edgerig.wire import messages
from edgerig.wire.frame import FrameReader, Kind, Limits, encode
from edgerig.wire.link import DeadlineLink, SocketLink
from edgerig.wire.messages import Failure, pack, unpack
from edgerig.wire.ownership import Grant, LeaseHeader
from edgerig.wire.unix import UnixAddress

__all__ = ["PORT", "Address", "Agent", "parse_address"]

#: Seconds within which a client must send its HELLO.
HELLO_SECONDS = 10.0
#: Most threads of connections, including those that are ending; `edgerig.agent.callers` keeps them below this.
MAX_THREADS = 512
#: Sessions that a run may have open at once, by default: each is a process with a network.
STREAMS = 8
_MORE_STREAMS = "Start the agent with a larger --streams, or ask for fewer streams."
_TICK = 0.2
#: Pause in seconds when a connection cannot be accepted for lack of descriptors.
_BREATH = 0.05


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
        streams: How many sessions each of them may have open at once.
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
        streams: int = STREAMS,
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
        self.idle, self.limits, self.streams = idle, limits or WorkerLimits(), streams
        self._admission = Admission(tls, token)
        self._callers = Callers(speaks=tls is None)
        # For lines that any client can cause; those of sessions are not limited.
        self._door_log = QuietLog(log)
        self._threads: set[threading.Thread] = set()
        self._lock = own_folder(folder)
        try:
            self._leases = Leases(sessions, lease, folder, log)
            self._host = SessionHost(
                self._leases, runtimes=self.runtimes, folder=folder, idle=idle, limits=self.limits, log=log
            )
            self._listener, self.address = listen(address)
        except BaseException:
            self._unlock()
            raise

    def serve(self) -> None:
        """Serve clients until `stop` is called or an exception, such as Ctrl-C, ends it; leaves no worker behind."""
        try:
            while not self._host.stopping:
                ready, _, _ = select.select([self._listener], [], [], _TICK)
                if ready and not self._host.stopping:
                    self._accept()
        finally:
            self.close()

    def stop(self) -> None:
        """Let `serve` end soon; may be called from any thread."""
        self._host.stopping = True

    def close(self) -> None:
        """Stop listening, and end every worker at once."""
        self._host.stopping = True
        self._listener.close()
        self._callers.dismiss_all()
        for worker in list(self._host.workers):
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
        except OSError as error:
            # The client disconnected before it was accepted, or cannot be accepted for now.
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._door_log(f"a connection has to wait: {error.strerror}")
                time.sleep(_BREATH)
            return
        try:
            caller = Caller(connected, peer)
        except OSError as error:
            connected.close()
            self._door_log(f"a connection was refused: {error.strerror}")
            return
        if len(self._threads) >= MAX_THREADS:
            self._turn_away(connected, caller, "too many connections are just ending")
            return
        gone = self._callers.enter(caller)
        if gone is not None:
            self._door_log(f"{gone.who}: let go of, as too many connections wait at the door of the agent")
        thread = threading.Thread(target=self._connection, args=(connected, caller), daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.discard(thread)
            self._turn_away(connected, caller, str(error))

    def _turn_away(self, connected: socket.socket, caller: Caller, why: str) -> None:
        self._door_log(f"{caller.who}: refused: {why}")
        connected.close()
        self._callers.leave(caller)

    def _connection(self, connected: socket.socket, caller: Caller) -> None:
        link: SocketLink | None = None
        try:
            greeting = self._admission.greet(connected, HELLO_SECONDS, caller.over.wait)
            link, caller.known = greeting.link, True
            self._visit(greeting, caller)
        except (OSError, EdgerigError) as error:
            if not caller.over.is_set():
                self._door_log(f"{caller.who}: {error}")
        except Exception as error:
            # An internal fault that a client triggers must not end more than its own connection.
            self._door_log(
                f"{caller.who}: {type(error).__name__}: {error}; this is a fault of edgerig, please report it"
            )
        finally:
            # With TLS, the descriptor belongs to the link's socket.
            (link or connected).close()
            self._callers.leave(caller)
            self._threads.discard(threading.current_thread())

    def _visit(self, greeting: Greeting, caller: Caller) -> None:
        """Give the client a lease, answer its HELLO, and run its session or renewals."""
        link, request, owner = greeting.link, greeting.frame.request, greeting.owner
        number = owner.session if owner is not None else 0
        if not 0 <= number < self.streams:
            text = f"Session {number} was asked for, and this agent serves {self.streams} of a run at once, from 0."
            send_error(link, request, messages.failure_of(IncompatibleError(text, _MORE_STREAMS)))
            return
        try:
            lease = self._leases.claim(owner, caller.who, over=caller.over)
        except EdgerigError as error:
            self._door_log(f"{caller.who}: refused: {error.message}")
            send_error(link, request, messages.failure_of(error))
            return
        try:
            self._callers.own(caller, lease.fence)
            grant = Grant(lease.fence, self._leases.seconds, self.limits.model, greeting.proof, self.streams)
            device, machine = describe_device(self.runtimes, Limits(payload=self.limits.message), grant)
            link.set_timeout(HELLO_SECONDS)
            link.send(encode(Kind.OK, request, pack(device), [memoryview(machine)], checked=link.checked))
            if owner is not None and owner.keeper:
                self._keep(link, lease)
            elif self._wait_for_request(link, self.idle):
                caller.working = True
                Visit(self._host, link, lease, caller.who, number).run()
        finally:
            self._leases.leave(lease)

    def _keep(self, link: SocketLink, lease: Lease) -> None:
        """Let the client renew its lease until it gives it back or goes away."""
        reader = FrameReader(link, Limits(header=4096, payload=0))
        # Nothing arrives between renewals.
        while self._wait_for_request(link, max(self.idle, self._leases.seconds)):
            link.set_timeout(HELLO_SECONDS)
            # The time limit is for the whole message, even if it arrives byte by byte.
            reader.link = DeadlineLink(link, time.monotonic() + HELLO_SECONDS)
            frame = reader.read()
            if frame.kind != Kind.LEASE:
                text = f"Messages of kind {frame.kind} are not understood on a connection that keeps a lease."
                send_error(link, frame.request, Failure(messages.UNSUPPORTED, text))
                return
            request: LeaseHeader = unpack(frame.header, LeaseHeader)
            try:
                if request.release:
                    self._leases.release(lease)
                else:
                    self._leases.renew(lease)
            except LeaseError as error:
                send_error(link, frame.request, messages.failure_of(error))
                return
            link.send(encode(Kind.OK, frame.request))

    def _wait_for_request(self, link: SocketLink, seconds: float) -> bool:
        """Whether the client asks for something before it hangs up or is silent for so long."""
        if isinstance(link.socket, ssl.SSLSocket) and link.socket.pending():
            return True
        poll = select.poll()
        poll.register(link.socket, select.POLLIN)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._host.stopping:
            if poll.poll(_TICK * 1000):
                # TLS has no MSG_PEEK; the first read notices a closed connection.
                plain = not isinstance(link.socket, ssl.SSLSocket)
                return bool(link.socket.recv(1, socket.MSG_PEEK)) if plain else True
        return False
