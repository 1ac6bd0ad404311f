"""Who may use a device, and for how long: owners, leases, and the proof of knowing the token.

A run is one *owner*. It gets a *lease* with a *fencing number*, larger than every one before it; whoever comes with a
number that another owner has passed is refused. ``docs/wire.md`` is the specification.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

import msgspec

from edgerig.errors import SpecError

#: Bytes of the random number that each side makes for each connection.
NONCE = 32
#: Shorter tokens could be found by brute force, offline, from one recorded greeting.
SHORTEST_TOKEN = 16
#: A token file that is larger than this is none.
_LARGEST_FILE = 4096
TOKEN_VARIABLE = "EDGERIG_TOKEN"
_MEND = "Make one with: openssl rand -hex 32 > token; chmod 600 token. Both sides need the same."


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Who asks for the device; part of a host's HELLO.

    Attributes:
        id: The run's own random text; the same on all connections of one run.
        who: The run for people, such as ``ann@desk, process 4711``.
        fence: The fencing number that the run was given before, or 0.
        keeper: Whether this connection only keeps the lease (LEASE messages), and runs no network.
        nonce: Random bytes, ``NONCE`` of them.
        proof: `host_proof`, once the device has asked for it, else empty.
        session: Number of this connection's session among those that the run has open at once, from 0. It ends the
            run's session of the same number; number 0, the only one of most runs, ends all of them.
    """

    id: str
    who: str = ""
    fence: int = 0
    keeper: bool = False
    nonce: bytes = b""
    proof: bytes = b""
    session: int = 0


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """What an owner was given; part of a device's HELLO.

    Attributes:
        fence: The lease's fencing number.
        seconds: How long the lease lasts without a word from its owner.
        max_model: The largest network that is taken, in bytes; 0 if a payload's limit is the only one.
        proof: `device_proof`, if the host had to prove itself.
        sessions: How many sessions a run may have open at once; 0 of a device that does not tell it, and has one.
    """

    fence: int
    seconds: float
    max_model: int = 0
    proof: bytes = b""
    sessions: int = 0


class LeaseHeader(msgspec.Struct, frozen=True, array_like=True):
    """The header of LEASE: renew our lease, or give it back with ``release``."""

    release: bool = False


def new_owner_id() -> str:
    """A text that no other run has."""
    return secrets.token_hex(16)


def new_nonce() -> bytes:
    """A fresh random number."""
    return secrets.token_bytes(NONCE)


def host_proof(token: bytes, device_nonce: bytes, host_nonce: bytes, owner: str) -> bytes:
    """HMAC-SHA256 (RFC 2104) with the token over both nonces and the owner: the token itself never travels."""
    return _mac(token, b"edgerig host", device_nonce, host_nonce, owner.encode())


def device_proof(token: bytes, device_nonce: bytes, host_nonce: bytes) -> bytes:
    """The device's proof in its answer, so that a host recognizes an impostor."""
    return _mac(token, b"edgerig device", device_nonce, host_nonce)


def same(proof: bytes, other: bytes) -> bool:
    """Whether two proofs are equal, compared in constant time."""
    return hmac.compare_digest(proof, other)


def _mac(token: bytes, *parts: bytes) -> bytes:
    # Each part with its length in front: two different lists of parts never make the same text.
    text = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
    return hmac.new(token, text, hashlib.sha256).digest()


def load_token(file: Path | None) -> bytes | None:
    """The token in ``file``, else in the variable ``EDGERIG_TOKEN``, else None.

    Raises:
        SpecError: The file cannot be read, or what is in it is too short to be a secret.
    """
    if file is None:
        text = os.environ.get(TOKEN_VARIABLE, "").strip()
        return checked_token(text, f"the variable {TOKEN_VARIABLE}") if text else None
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST_FILE + 1)
        text = data.decode("ascii").strip() if len(data) <= _LARGEST_FILE else ""
    except OSError as error:
        raise SpecError(f"Cannot read the token in {file}: {error.strerror}.", _MEND) from error
    except UnicodeDecodeError as error:
        raise SpecError(f"The token in {file} is not plain text.", _MEND) from error
    return checked_token(text, str(file))


def checked_token(text: str, where: str) -> bytes:
    """``text`` as a token.

    Raises:
        SpecError: It is too short, or more than one line.
    """
    if len(text) < SHORTEST_TOKEN or len(text.splitlines()) != 1:
        raise SpecError(
            f"The token in {where} must be one line of at least {SHORTEST_TOKEN} characters; it has {len(text)}.", _MEND
        )
    return text.encode()


def others_may_read(file: Path) -> bool:
    """Whether every user of this machine may read ``file``."""
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
