"""Protocols in which a server can be loaded: one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgerig.errors import UnknownNameError

if TYPE_CHECKING:
    from edgerig.serve.stress.load import Load
    from edgerig.serve.stress.protocols.base import StressProtocol

#: Name to module and class.
PROTOCOLS = {
    "oip-http": ("edgerig.serve.stress.protocols.oip_http", "OipHttp"),
    "oip-grpc": ("edgerig.serve.stress.protocols.oip_grpc", "OipGrpc"),
    "digits": ("edgerig.serve.stress.protocols.digits", "Digits"),
}


def protocol_of(load: Load) -> StressProtocol:
    """The protocol of a load, not yet prepared.

    Raises:
        UnknownNameError: There is none of that name.
    """
    import importlib

    if load.protocol not in PROTOCOLS:
        raise UnknownNameError("protocol", load.protocol, PROTOCOLS)
    module, name = PROTOCOLS[load.protocol]
    protocol: StressProtocol = getattr(importlib.import_module(module), name)(load)
    return protocol
