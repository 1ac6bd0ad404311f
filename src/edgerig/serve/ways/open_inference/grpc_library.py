"""gRPC, imported so that fewer of its threads pass a request on."""

from __future__ import annotations

import os
import sys

#: What gRPC reads once, when it is imported; a user's own value stays.
VARIABLE = "GRPC_EXPERIMENTS"
#: Else bytes that come wake one of gRPC's threads, which wakes another one to read them, which wakes the one that tells
#: Python of requests; so the last one reads them itself. That takes 40 us of processor time and four changes of threads
#: off a request that comes alone. gRPC ignores names that it does not know.
READING = "-event_engine_listener"


def import_grpc() -> None:
    """Import gRPC; where it is imported already it stays as it is.

    Raises:
        ImportError: It is not installed.
    """
    if "grpc" in sys.modules or VARIABLE in os.environ:
        __import__("grpc")
        return
    os.environ[VARIABLE] = READING
    try:
        __import__("grpc")
    finally:
        # No process that is started here inherits it.
        del os.environ[VARIABLE]
