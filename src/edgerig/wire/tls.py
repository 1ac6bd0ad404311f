"""TLS 1.3 with certificates on both sides, from a folder that ``edgerig agent keys`` made.

The folder holds ``ca.pem`` (the trusted CA), ``cert.pem`` (our certificate) and ``key.pem`` (its private key).
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from edgerig.errors import SpecError, TargetError
from edgerig.wire.link import SocketLink, tune

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"
#: Up to so many bytes of a frame go out as one piece: a copy costs less than another record.
JOINED = 64 * 1024
#: The first byte of a TLS connection (handshake record), RFC 8446 section 5.1.
HANDSHAKE = 0x16
_MEND = "Make keys with: edgerig agent keys DIR --host DEVICE (docs/agent.md)."
_NEW = "Make a new one with `edgerig agent keys` on the machine that has the CA, and copy it there."
#: OpenSSL's codes of a failed verification (x509_vfy.h).
_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64


class TlsLink(SocketLink):
    """A TCP connection inside TLS, which has checksums of its own."""

    checked = False

    def __init__(self, connected: ssl.SSLSocket, who: str) -> None:
        super().__init__(connected)
        self.who = who

    def send(self, buffers: Sequence[bytes | bytearray | memoryview]) -> None:
        with _explained(self.who):
            if sum(len(part) for part in buffers) <= JOINED:
                self.socket.sendall(b"".join(buffers))
                return
            deadline, sent = self._deadline(), 0
            for part in buffers:
                rest = memoryview(part)
                while rest:
                    count = self.socket.send(rest)
                    rest, sent = rest[count:], sent + count
                    if deadline is not None:
                        deadline.left(sent)

    def recv_within(self, view: memoryview, seconds: float) -> int:
        # A TLS record may arrive in part only: the receive call itself needs the timeout.
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds if before is None else min(before, seconds))
        try:
            return self.recv_into(view)
        finally:
            self.socket.settimeout(before)

    def recv_into(self, view: memoryview) -> int:
        with _explained(self.who):
            return super().recv_into(view)


class _explained(contextlib.AbstractContextManager[None]):  # noqa: N801 - used like a function
    """Converts OpenSSL's errors into ones that a user can mend; a class, as a generator costs more in the hot loop."""

    def __init__(self, who: str) -> None:
        self.who = who

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            raise ConnectionResetError("the other side closed the connection") from error
        if isinstance(error, ssl.SSLError) and not isinstance(error, TimeoutError):
            raise explain(error, self.who) from error


def host_context(folder: Path) -> ssl.SSLContext:
    """TLS as a host uses it: shows its certificate, and accepts only devices that the CA named.

    Raises:
        SpecError: A file is missing, or certificate and key do not fit.
    """
    return _context(folder, ssl.PROTOCOL_TLS_CLIENT)


def device_context(folder: Path) -> ssl.SSLContext:
    """TLS as a device uses it: accepts only hosts with a certificate of the CA.

    Raises:
        SpecError: A file is missing, or certificate and key do not fit.
    """
    context = _context(folder, ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    # Sessions are not resumed, so no tickets are sent.
    context.num_tickets = 0
    return context


def connect_tls(connected: socket.socket, context: ssl.SSLContext, host: str, who: str) -> TlsLink:
    """TLS over a TCP connection to ``host``, whose name or address must stand in the certificate.

    Raises:
        TargetError: The device does not speak TLS, or is not whom the CA named.
        OSError: It went away, or does not answer in the socket's timeout.
    """
    tune(connected)
    try:
        return TlsLink(context.wrap_socket(connected, server_hostname=host), who)
    except TimeoutError:
        raise
    except ssl.SSLError as error:
        raise explain(error, who) from error


def explain(error: ssl.SSLError, who: str) -> TargetError:
    """The reason of a failed handshake, and how to mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _not_trusted(error, who)
    reason = (error.reason or "").upper()
    reasons = {
        "CERTIFICATE_REQUIRED": (
            f"{who} asks for a certificate.",
            "Give the target's setting `tls`: a folder of keys.",
        ),
        "CERTIFICATE_EXPIRED": (f"{who} refuses our certificate: it has expired, or its clock is wrong.", _NEW),
        "UNKNOWN_CA": (f"{who} refuses our certificate: another CA made it.", "Use keys that the device's CA made."),
        "BAD_CERTIFICATE": (f"{who} refuses our certificate: it is not for a host.", _NEW),
        "UNSUPPORTED_CERTIFICATE": (f"{who} refuses our certificate: it is not for a host.", _NEW),
        "HANDSHAKE_FAILURE": (f"{who} refuses our certificate.", _NEW),
        "WRONG_VERSION_NUMBER": (
            f"{who} does not speak TLS.",
            "Start its agent with --tls, or leave the target's setting `tls` out.",
        ),
        "PROTOCOL_VERSION": (f"{who} does not speak TLS 1.3.", "Bring Python and OpenSSL there up to date."),
    }
    for word, (text, hint) in reasons.items():
        if word in reason:
            return TargetError(text, hint)
    return TargetError(f"No secure connection to {who}: {reason.replace('_', ' ').lower() or error}.", _MEND)


def _not_trusted(error: ssl.SSLCertVerificationError, who: str) -> TargetError:
    if error.verify_code in (_EXPIRED, _NOT_YET):
        when = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return TargetError(f"The certificate of {who} {when}, or this machine's clock is wrong.", _NEW)
    if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
        return TargetError(
            f"The certificate of {who} is not for that name or address.",
            "Make one with `edgerig agent keys DIR --host NAME --host ADDRESS`, or use a name that it is for.",
        )
    return TargetError(
        f"{who} is not to be trusted: {error.verify_message}.", "Its certificate must come from the same CA as ours."
    )


def _context(folder: Path, protocol: int) -> ssl.SSLContext:
    for name in (CA, CERTIFICATE, KEY):
        if not (folder / name).is_file():
            raise SpecError(f"There is no {name} in {folder}.", _MEND)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        # Without a password to give, an encrypted key would ask for one on the terminal.
        context.load_cert_chain(folder / CERTIFICATE, folder / KEY, password=lambda: "")
        context.load_verify_locations(folder / CA)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SpecError(f"The keys in {folder} cannot be used: {reason}.", _MEND) from error
    return context
