"""One writer at a time where a store cannot create a file only where there is none.

That is a note in the store and no lock: such a store has nothing to make one of. It refuses a second writer that comes
later, and finds out most that come at the same moment; that there is only one is up to whoever starts them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections.abc import Iterator

import msgspec

from edgerig.errors import StoreError
from edgerig.store.faults import Missing
from edgerig.store.store import Store

#: Seconds after which the note of a writer that died counts no more.
STALE = 600.0


class _Writer(msgspec.Struct, frozen=True):
    """Who writes, and since when in seconds since 1970."""

    identity: str
    who: str
    since: float


@contextlib.contextmanager
def single_writer(store: Store, name: str) -> Iterator[None]:
    """Hold the note of a dataset's writer for the duration of the block.

    Raises:
        StoreError: Somebody else writes; or did so during the block, so that what was written may be gone.
    """
    key = f"{name}/writer.json"
    ours = _Writer(secrets.token_hex(8), f"{socket.gethostname()}, process {os.getpid()}", time.time())
    other = _current(store, key)
    if other is not None and abs(time.time() - other.since) < STALE:
        raise _refusal(store, name, other)
    store.put(key, msgspec.json.encode(ours))
    _check(store, key, name, ours)
    try:
        yield
        _check(store, key, name, ours)
    finally:
        if _current(store, key) == ours:
            store.delete(key)


def _check(store: Store, key: str, name: str, ours: _Writer) -> None:
    current = _current(store, key)
    if current != ours:
        raise _refusal(store, name, current)


def _current(store: Store, key: str) -> _Writer | None:
    try:
        return msgspec.json.decode(store.get(key), type=_Writer)
    except (Missing, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _refusal(store: Store, name: str, other: _Writer | None) -> StoreError:
    who = f" ({other.who})" if other is not None else ""
    return StoreError(
        f"Somebody else writes {name} in {store.address}{who}, and this store allows one writer alone.",
        "It cannot create a file only where there is none (If-None-Match). Do it again when the other has ended; "
        f"the note of one that died counts no more after {STALE / 60:.0f} minutes. Look at `edgerig data log`.",
    )
