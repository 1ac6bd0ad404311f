"""Encrypted connections of a load."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgerig.errors import SpecError
from edgerig.serve.stress.load import Load
from edgerig.wire.tls import CA, CERTIFICATE, KEY, host_context


@lru_cache(maxsize=1)
def context_of(load: Load) -> ssl.SSLContext | None:
    """How connections of a load are encrypted; None for those that are not.

    Raises:
        SpecError: A file is missing, or none of certificates.
    """
    if not load.tls:
        return None
    if load.keys is not None:
        context = host_context(Path(load.keys))
        if load.ca is not None:
            _trust(context, load.ca)
        return context
    context = ssl.create_default_context()
    if load.ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _trust(context, load.ca)
    return context


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SpecError(f"The certificates in {ca} cannot be used: {reason}.", "Give --ca a file in PEM.") from error


def grpc_credentials(load: Load) -> Any:
    """The same for gRPC, which reads the files itself."""
    import grpc

    # What is wrong with the files is told in our words.
    context_of(load)
    roots = [Path(load.ca).read_bytes()] if load.ca is not None else []
    if load.keys is None:
        return grpc.ssl_channel_credentials(b"".join(roots) or None)
    key, certificate, ca = ((Path(load.keys) / name).read_bytes() for name in (KEY, CERTIFICATE, CA))
    return grpc.ssl_channel_credentials(b"\n".join([ca, *roots]), key, certificate)
