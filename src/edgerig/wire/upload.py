"""How a host sends a network: checks before sending, and the parts of a large one."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgerig.errors import AnswerError, IncompatibleError, UnknownNameError
from edgerig.wire.messages import Hello, ModelHeader

#: Larger networks go up in parts of so many bytes, so that a device needs no memory for a whole one.
PART_BYTES = 16 * 1024 * 1024
#: A device that takes less in a message takes no network in parts.
_LEAST_PART = 256


def check_size(who: str, device: Hello, header: ModelHeader, size: int) -> None:
    """Check, before anything is sent, that ``device`` accepts a network of ``size`` bytes.

    Raises:
        AnswerError: It does not.
    """
    limit = device.grant.max_model if device.grant and device.grant.max_model else device.max_payload
    if size > limit:
        raise AnswerError(
            f"{who} takes networks of at most {limit} B; {header.name} has {size} B.",
            "Raise --max-model of its agent, or choose a smaller network.",
        )
    if size > device.max_payload < _LEAST_PART:
        raise AnswerError(f"{who} takes at most {device.max_payload} B in one message.", "Raise its --max-message.")


def check_built_in(who: str, device: Hello, header: ModelHeader) -> None:
    """Check that the network that is built into ``device`` is the expected one.

    Raises:
        UnknownNameError: It has another runtime. IncompatibleError: It has another network.
    """
    if header.runtime not in device.runtimes:
        raise UnknownNameError("runtime", header.runtime, device.runtimes)
    if header.sha256 != device.network:
        raise IncompatibleError(
            f"Another network is built into {who}: that of SHA-256 {device.network[:12]}, not {header.sha256[:12]}.",
            "Build the firmware with this network, and flash it.",
        )


def parts(header: ModelHeader, data: memoryview, most: int) -> Iterator[tuple[ModelHeader, memoryview]]:
    """Headers and payloads of MODEL for the file ``data``: one, or several of ``most`` bytes."""
    if data.nbytes <= most:
        yield header, data
        return
    for offset in range(0, data.nbytes, most):
        yield msgspec.structs.replace(header, offset=offset, total=data.nbytes), data[offset : offset + most]
