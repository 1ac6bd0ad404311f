"""What a device is asked about its network besides running it; one that cannot tell costs that answer alone."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig.measure.census import Census
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Kind
from edgerig.wire.messages import Unsupported


def census_of(client: WireClient, inputs: Sequence[memoryview]) -> Census | Unavailable:
    """What runs where, as the device's engine tells; ``inputs`` are one sample, which may be run."""
    if client.device.network:
        return Unavailable("a board's firmware tells no operators: its C runs each in the type of the file")
    untold = Unavailable(f"{client.who} is of a version that does not tell what runs where")
    if not client.supports(Kind.CENSUS):
        return untold
    try:
        return client.census(inputs)
    except Unsupported:
        return untold


def memory_of(client: WireClient) -> dict[str, Quantity]:
    """Bytes by name, as the device reports them."""
    untold: dict[str, Quantity] = {"peak_rss": Unavailable(f"{client.who} does not tell its memory")}
    if not client.supports(Kind.MEMORY):
        return untold
    try:
        return client.memory() or untold
    except Unsupported:
        return untold
