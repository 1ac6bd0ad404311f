"""Authentication of clients: TLS, HELLO, and the proof of the token, before any process is started for them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable

import msgspec

from edgerig.agent.lease import printable
from edgerig.errors import TargetError, WireError
from edgerig.wire import messages
from edgerig.wire.frame import Frame, FrameReader, Kind, Limits, encode
from edgerig.wire.link import DeadlineLink, SocketLink, TcpLink, tune
from edgerig.wire.messages import Failure, Hello, pack, unpack
from edgerig.wire.ownership import NONCE, Owner, device_proof, host_proof, new_nonce, same
from edgerig.wire.tls import HANDSHAKE, TlsLink, explain
from edgerig.wire.unix import UnixLink

#: Limits of a frame from a client that has no worker yet.
HELLO_LIMITS = Limits(header=4096, payload=4096)
#: Delay after a wrong token, in seconds.
PENALTY = 1.0
_SAME_EDGERIG = "Install the same edgerig on both sides."


class Greeting(msgspec.Struct, frozen=True):
    """An admitted client.

    Attributes:
        link: To it.
        frame: Its HELLO, still to be answered.
        owner: The run that it says it belongs to, if any.
        proof: The device's proof of the token, for the answer.
    """

    link: SocketLink
    frame: Frame
    owner: Owner | None
    proof: bytes


class Admission:
    """Admits clients, or answers why not.

    Args:
        context: TLS, or None for plain connections.
        token: What clients must prove to know, or None.
    """

    def __init__(self, context: ssl.SSLContext | None, token: bytes | None) -> None:
        self.context, self.token = context, token

    def greet(self, connected: socket.socket, seconds: float, wait: Callable[[float], object] = time.sleep) -> Greeting:
        """Receive the HELLO in the agent itself, so that it costs no process.

        Args:
            connected: To the client.
            seconds: Time limit for the whole greeting.
            wait: Called for the delay after a wrong token.

        Raises:
            TargetError: The client is refused; an ERROR was sent to it.
            OSError: It disconnected, or sent too little in ``seconds``.
        """
        deadline = time.monotonic() + seconds
        connected.settimeout(seconds)
        link = self._secure(connected, deadline)
        reader = FrameReader(DeadlineLink(link, deadline), HELLO_LIMITS, read_ahead=False)
        frame, hello = self._hello(link, reader)
        # File permissions control access to a unix socket.
        if self.token is None or isinstance(link, UnixLink):
            return Greeting(link, frame, hello.owner, b"")
        nonce = new_nonce()
        challenge = Failure(messages.UNAUTHORIZED, "The device asks for a token.", _TOKEN_HINT, (nonce,))
        link.send(encode(Kind.ERROR, frame.request, pack(challenge)))
        frame, hello = self._hello(link, reader)
        owner = hello.owner
        if owner is None or not self._knows_token(owner, nonce):
            wait(PENALTY)
            self._refuse(link, frame.request, messages.UNAUTHORIZED, "The token is wrong.", _TOKEN_HINT)
        assert owner is not None
        return Greeting(link, frame, owner, device_proof(self.token, nonce, owner.nonce))

    def _knows_token(self, owner: Owner, nonce: bytes) -> bool:
        assert self.token is not None
        return len(owner.nonce) == NONCE and same(owner.proof, host_proof(self.token, nonce, owner.nonce, owner.id))

    def _hello(self, link: SocketLink, reader: FrameReader) -> tuple[Frame, Hello]:
        try:
            frame = reader.read()
            if frame.kind != Kind.HELLO:
                raise WireError("A session begins with HELLO.", _SAME_EDGERIG)
            return frame, unpack(frame.header, Hello)
        except WireError as error:
            send_error(link, 0, Failure(messages.BAD_FRAME, error.message, error.hint))
            raise

    def _secure(self, connected: socket.socket, deadline: float) -> SocketLink:
        """The link to a client: TLS if there are keys; a client that expects otherwise gets an ERROR that says so."""
        if connected.family == socket.AF_UNIX:
            return UnixLink(connected)
        tune(connected)
        first = connected.recv(1, socket.MSG_PEEK)
        speaks_tls = first[:1] == bytes([HANDSHAKE])
        if self.context is None:
            link = TcpLink(connected)
            if speaks_tls:
                self._refuse(link, 0, messages.BAD_FRAME, "This agent speaks no TLS.", "Start it with --tls.")
            return link
        if first and not speaks_tls:
            text = "This agent speaks TLS only."
            self._refuse(TcpLink(connected), 0, messages.UNAUTHORIZED, text, _TLS_HINT)
        # One handshake has this time as a whole, however its bytes come.
        connected.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            return TlsLink(self.context.wrap_socket(connected, server_side=True), "the client")
        except TimeoutError:
            raise
        except ssl.SSLError as error:
            raise TargetError(f"refused: {_why_refused(error)}") from error

    def _refuse(self, link: SocketLink, request: int, code: int, text: str, hint: str) -> None:
        send_error(link, request, Failure(code, text, hint))
        raise TargetError(f"refused: {text}")


_TOKEN_HINT = "Give the target's setting `token_file`, or EDGERIG_TOKEN, with what is in the agent's --token-file."
_TLS_HINT = (
    "Give the target's setting `tls`: a folder of keys for a host; with bench --target-option tls=DIR. EDGERIG_TLS is "
    "taken for other machines only, not for one that is reached as localhost."
)


def _why_refused(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if "PEER_DID_NOT_RETURN_A_CERTIFICATE" in (error.reason or ""):
        return "it has no certificate"
    return printable(explain(error, "the client").message)


def send_error(link: SocketLink, request: int, failure: Failure) -> None:
    """Send a last ERROR, and close so that it arrives."""
    with contextlib.suppress(OSError, TargetError):
        link.set_timeout(1.0)
        link.send(encode(Kind.ERROR, request, pack(failure)))
    hang_up(link)


def hang_up(link: SocketLink) -> None:
    """End our side so that what was sent before arrives: closing with unread bytes would reset the connection."""
    with contextlib.suppress(OSError, TargetError):
        link.set_timeout(1.0)
        link.socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline and link.socket.recv(1 << 16):
            pass
