"""A link inside one process: for tests, and for embedding a device."""

from __future__ import annotations

import socket

from edgerig.wire.link import PairLink


def pair() -> tuple[PairLink, PairLink]:
    """Two ends of a link. What one sends the other receives; closing one tells the other."""
    ours, theirs = socket.socketpair()
    return PairLink(ours), PairLink(theirs)
