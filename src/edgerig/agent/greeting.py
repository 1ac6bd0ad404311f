"""What an agent answers to a HELLO: who it is, what it takes, and the state of its machine."""

from __future__ import annotations

from collections.abc import Sequence

from edgerig import __version__, plugin_names
from edgerig.measure.clocks import inference_clock
from edgerig.measure.machine import observe
from edgerig.wire.frame import VERSION, Frame, Kind, Limits
from edgerig.wire.messages import Hello, pack, unpack
from edgerig.wire.ownership import Grant

#: What a session answers.
KINDS = (
    Kind.DATA,
    Kind.MODEL,
    Kind.PROCESS,
    Kind.OUTPUT,
    Kind.STATS,
    Kind.HELLO,
    Kind.RUN,
    Kind.PROFILE,
    Kind.MEMORY,
    Kind.IO,
    Kind.RESET,
    Kind.LOG,
    Kind.BEGIN,
    Kind.CENSUS,
    Kind.RING,
)


def answer_hello(frame: Frame, runtimes: Sequence[str], limits: Limits) -> tuple[bytes, Sequence[memoryview]]:
    """The answer to a HELLO in a session: what this machine is, and its state."""
    unpack(frame.header, Hello)
    device, machine = describe_device(runtimes, limits)
    return pack(device), [memoryview(machine)]


def describe_device(runtimes: Sequence[str], limits: Limits, grant: Grant | None = None) -> tuple[Hello, bytes]:
    """What this machine answers to a HELLO: who it is, and its state as the payload that follows."""
    device = Hello(
        VERSION,
        f"edgerig {__version__}",
        max_header=limits.header,
        max_payload=max(limits.payload, limits.model or 0),
        kinds=KINDS,
        runtimes=tuple(runtimes) or tuple(plugin_names.names("runtime")),
        clock=str(inference_clock()),
        grant=grant,
    )
    return device, pack(observe())
