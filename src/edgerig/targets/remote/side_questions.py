"""What a device is asked about its network besides running it; one that cannot tell costs that answer alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from edgerig.measure.census import Census
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.profile import LayerTime
from edgerig.wire.client import WireClient
from edgerig.wire.frame import Kind
from edgerig.wire.messages import Unsupported

#: Share of the time that an answer is waited for, which a request of many samples may take: some may be slower.
PATIENCE_SHARE = 0.25


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


def most_in_time(client: WireClient, sample_ns: float | None) -> int:
    """Samples of one request that a device answers long before it is given up, if one takes ``sample_ns``."""
    if sample_ns is None:
        return sys.maxsize
    return max(1, int(client.timeout * PATIENCE_SHARE * 1e9 / max(sample_ns, 1)))


def profile_of(client: WireClient, inputs: Sequence[memoryview], count: int) -> list[LayerTime] | Unavailable:
    """The per-operator profile over the ``count`` samples ``inputs``, as the device's engine tells it."""
    try:
        layers: list[LayerTime] | Unavailable = client.profile(inputs, count, list[LayerTime] | Unavailable)
    except Unsupported:
        return Unavailable(f"{client.who} has no per-operator profile")
    return layers


def memory_of(client: WireClient) -> dict[str, Quantity]:
    """Bytes by name, as the device reports them."""
    untold: dict[str, Quantity] = {"peak_rss": Unavailable(f"{client.who} does not tell its memory")}
    if not client.supports(Kind.MEMORY):
        return untold
    try:
        return client.memory() or untold
    except Unsupported:
        return untold
