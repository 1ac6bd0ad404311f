"""A network answers others: sessions behind one bounded queue, and several ways in.

>>> from edgerig.serve import Server
>>> Server.__name__
'Server'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgerig.serve.server import Server

__all__ = ["Server"]


def __getattr__(name: str) -> Any:
    # Deferred: the pages and what is drawn on them need no server.
    if name == "Server":
        from edgerig.serve.server import Server

        return Server
    raise AttributeError(f"module 'edgerig.serve' has no attribute {name!r}")
