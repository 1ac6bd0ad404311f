"""Runtimes that can set the batch of a network: their setting, and the error where a network's batch is fixed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from edgerig.errors import InferenceError
from edgerig.runtimes.base import RuntimeSettings


class ResizableSettings(RuntimeSettings, frozen=True, kw_only=True):
    """Settings of a runtime that can set the batch of a network whose file leaves it free, or has 1 there."""

    batch: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(
            description="samples an inference, where the network lets it be set; a rig says it for all of its cells: "
            "`measure: {scenario: offline, batch: 8}`"
        ),
    ] = None


def fixed_batch(name: str, shape: Sequence[int], batch: int, why: str) -> InferenceError:
    """The error of a network whose batch was to be set and cannot be.

    Args:
        name: Of the tensor that stands in the way. shape: its own.
        batch: What was asked for.
        why: What stands in the way, after the tensor's shape.
    """
    return InferenceError(
        f"The batch of the network cannot be set to {batch}: "
        f"{name!r} has the shape {[int(size) for size in shape]}{why}.",
        "Export the network with a free batch axis, or leave `batch` out.",
    )


def check_batch(outputs: Iterable[tuple[str, Sequence[int]]], batch: int) -> None:
    """Refuse a network that takes ``batch`` samples and does not give as many results.

    Args:
        outputs: Name and shape of each, once the batch is set.

    Raises:
        InferenceError: An output's first axis does not count samples.
    """
    for name, shape in outputs:
        if [int(size) for size in shape[:1]] != [batch]:
            raise fixed_batch(name, shape, batch, ", whatever the input's batch is")
