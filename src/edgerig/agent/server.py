"""The agent: listens, and gives each session a worker process of its own, one session at a time."""

from __future__ import annotations

import contextlib
import ipaddress
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from edgerig.agent.spawn import WorkerProcess
from edgerig.agent.worker import answer_hello
from edgerig.errors import EdgerigError, SpecError, TargetError, UsageError, WireError, storing
from edgerig.plugins import names
from edgerig.wire import messages
from edgerig.wire.frame import FrameReader, Kind, Limits, encode
from edgerig.wire.link import SocketLink, TcpLink
from edgerig.wire.messages import Failure, pack
from edgerig.wire.unix import UnixAddress, UnixLink, listen_unix

PORT = 7433
#: Seconds that a client gets to introduce itself.
HELLO_SECONDS = 10.0
#: Seconds that a new client waits for the session before it to be cleared away.
HANDOVER_SECONDS = 3.0
#: The largest frame that is taken before a worker is started for it.
HELLO_LIMITS = Limits(header=4096, payload=4096)
#: Connections that are looked at side by side; more are closed at once.
MAX_CONNECTIONS = 16
_TICK = 0.2
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class Address(msgspec.Struct, frozen=True):
    """Host and port of a TCP socket."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine itself can connect there."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(text: str) -> Address:
    """Host and port out of ``tcp://HOST:PORT``, ``HOST:PORT`` or ``HOST``; IPv6 addresses in brackets.

    Raises:
        SpecError: It is none of these.
    """
    host, colon, port = text.removeprefix("tcp://").rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text.removeprefix("tcp://"), str(PORT)
    bare = host.removeprefix("[").removesuffix("]")
    # `isdecimal` alone would let digits of other scripts through.
    wrong_port = not (port.isascii() and port.isdecimal() and int(port) <= 65535)
    if not bare or wrong_port or set(bare) & set("/@[] ") or (":" in bare and host == bare):
        raise SpecError(
            f"{text!r} is not an address of a device.", f"Write tcp://HOST:PORT, such as tcp://raspberrypi:{PORT}."
        )
    return Address(bare, int(port))


def listen(address: Address | UnixAddress) -> tuple[socket.socket, Address | UnixAddress]:
    """A listening socket, and where it listens: on a port of its own where port 0 was asked for.

    Raises:
        UsageError: It cannot be listened on.
    """
    if isinstance(address, UnixAddress):
        return listen_unix(address), address
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.create_server((address.host, address.port), family=family, backlog=16)
    except OSError as error:
        raise UsageError(
            f"Cannot listen on {address}: {error.strerror or error}.",
            "Is another agent running there? Choose another port, or 0 for a free one.",
        ) from error
    return listener, Address(address.host, listener.getsockname()[1])


class Agent:
    """Serves this machine as a device under test.

    Args:
        address: Where to listen; port 0 takes a free one, `address` then tells which.
        folder: Where networks are put, each session in a folder of its own that is removed with it.
        runtimes: Runtimes that clients may ask for; the registered ones if none is given.
        insecure: Whether other addresses than loopback are allowed.
        idle: Seconds without a request after which a session ends.
        log: Hears of sessions.

    Raises:
        UsageError: The address is open to others and ``insecure`` was not given, or it cannot be listened on.
    """

    def __init__(
        self,
        address: Address | UnixAddress,
        *,
        folder: Path | None = None,
        runtimes: Sequence[str] = (),
        insecure: bool = False,
        idle: float = 600.0,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        if isinstance(address, Address) and not address.loopback and not insecure:
            raise UsageError(
                f"{address} can be reached from other machines, and the agent runs any network that anybody sends it.",
                f"Listen on 127.0.0.1 and reach it through `ssh -L {address.port}:127.0.0.1:{address.port} DEVICE`, "
                "or give --insecure if everybody on that network may use this machine.",
            )
        # A client must not make this machine import just anything by name.
        self.runtimes = tuple(runtimes) or tuple(names("runtime"))
        self.folder, self.idle, self.log = folder, idle, log
        if folder is not None:
            with storing(folder):
                folder.mkdir(parents=True, exist_ok=True)
        self._owner: str | None = None
        self._free = threading.Condition()
        self._stopping = False
        self._workers: set[WorkerProcess] = set()
        self._threads: set[threading.Thread] = set()
        self._listener, self.address = listen(address)

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

    def _accept(self) -> None:
        try:
            connected, peer = self._listener.accept()
        except OSError:
            return  # the client was gone before its call was taken
        if len(self._threads) >= MAX_CONNECTIONS:
            connected.close()
            return
        who = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "a local client"
        thread = threading.Thread(target=self._connection, args=(connected, who), daemon=True)
        self._threads.add(thread)
        thread.start()

    def _connection(self, connected: socket.socket, who: str) -> None:
        link = UnixLink(connected) if connected.family == socket.AF_UNIX else TcpLink(connected)
        try:
            self._greet(link, who)
        except (OSError, EdgerigError) as error:
            self.log(f"{who}: {error}")
        finally:
            link.close()
            self._threads.discard(threading.current_thread())

    def _greet(self, link: SocketLink, who: str) -> None:
        """Take the HELLO ourselves, so that a mere question who is there costs no process; then the session."""
        link.set_timeout(HELLO_SECONDS)
        try:
            frame = FrameReader(link, HELLO_LIMITS, read_ahead=False).read()
            if frame.kind != Kind.HELLO:
                raise WireError("A session begins with HELLO.", "Install the same edgerig on both sides.")
            header, payload = answer_hello(frame, self.runtimes, Limits())
        except WireError as error:
            tell(link, 0, Failure(messages.BAD_FRAME, error.message, error.hint))
            raise
        if not self._enter(who):
            self.log(f"{who}: refused, busy with {self._owner}")
            tell(link, frame.request, busy(self._owner))
            return
        try:
            link.send(encode(Kind.OK, frame.request, header, payload))
            if self._wait_for_request(link.socket):
                self._session(link, who)
        finally:
            self._leave()

    def _session(self, link: SocketLink, who: str) -> None:
        worker = WorkerProcess(link.socket, runtimes=self.runtimes, idle=self.idle, parent_folder=self.folder)
        self._workers.add(worker)
        self.log(f"{who}: session begins, process {worker.pid}")
        try:
            self._attend(worker, link.socket)
            reason = worker.why_dead() if worker.process.returncode else None
            if reason and not self._stopping:
                self.log(f"{who}: {reason}")
                hint = "The network crashes its engine; the agent lives on."
                tell(link, 0, messages.failure_of(TargetError(reason[0].upper() + reason[1:], hint)))
            elif worker.process.poll() == 0:
                hang_up(link)
        finally:
            worker.kill()
            self._workers.discard(worker)
            self.log(f"{who}: session ended")

    def _attend(self, worker: WorkerProcess, connected: socket.socket) -> None:
        """Wait until the worker has ended; end it if its client is gone and it does not notice."""
        poll = select.poll()
        poll.register(connected, _GONE)
        gone_since: float | None = None
        while worker.process.poll() is None and not self._stopping:
            if gone_since is None:
                gone_since = time.monotonic() if poll.poll(_TICK * 1000) else None
            elif time.monotonic() - gone_since > 1.0:
                return
            else:
                time.sleep(0.01)

    def _wait_for_request(self, connected: socket.socket) -> bool:
        """Whether the client asks for something before it hangs up or falls silent."""
        poll = select.poll()
        poll.register(connected, select.POLLIN)
        deadline = time.monotonic() + self.idle
        while time.monotonic() < deadline and not self._stopping:
            if poll.poll(_TICK * 1000):
                return bool(connected.recv(1, socket.MSG_PEEK))
        return False

    def _enter(self, who: str) -> bool:
        """Become the one session; False if another one goes on."""
        with self._free:
            # The session before may have ended a moment ago, and its process not yet.
            if not self._free.wait_for(lambda: self._owner is None, HANDOVER_SECONDS):
                return False
            self._owner = who
            return True

    def _leave(self) -> None:
        with self._free:
            self._owner = None
            self._free.notify()


def busy(owner: str | None) -> Failure:
    """The refusal of a second client."""
    text = f"The device is busy: it runs a session of {owner}."
    return Failure(messages.BUSY, text, "Wait until that one is done, and try again.")


def tell(link: SocketLink, request: int, failure: Failure) -> None:
    """Send a last ERROR, and see that it arrives."""
    with contextlib.suppress(OSError):
        link.set_timeout(1.0)
        link.send(encode(Kind.ERROR, request, pack(failure)))
    hang_up(link)


def hang_up(link: SocketLink) -> None:
    """End our side so that what was sent before arrives: closing with unread bytes would reset the connection."""
    with contextlib.suppress(OSError):
        link.set_timeout(1.0)
        link.socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline and link.socket.recv(1 << 16):
            pass
