"""What a pair is: a fresh process of each of two variants that took turns, the raw material of comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.rig.types import Part

Array = NDArray[Any]


class Variant(msgspec.Struct, frozen=True):
    """One side of a comparison: a network, its engine, and an array (n, ...) for each input, in its dtype."""

    label: str
    artifact: Artifact
    runtime: Part
    inputs: tuple[Array, ...]


class Run(msgspec.Struct, frozen=True):
    """The measurements of one process of a pair.

    Attributes:
        chunks: Times in ns of each chunk, shape (m,), int64.
        load_seconds: From file to allocated tensors. first_ns: The first inference.
        memory: Bytes by name at its end.
        clock, threads, runtime_version: As reported when it loaded the network.
        cpu_ns: Processor time of the process in each chunk, its messages included; none where that is not known.
        message_bytes: Of the inputs and outputs of one inference.
    """

    chunks: tuple[NDArray[np.int64], ...]
    load_seconds: float
    first_ns: int
    memory: dict[str, Quantity]
    clock: str
    threads: int
    runtime_version: str
    cpu_ns: tuple[int, ...] = ()
    message_bytes: int = 0


class Pair(msgspec.Struct, frozen=True):
    """Two processes that took turns: A and B. ``core`` is the core that both were pinned to, if they were."""

    first: Run
    second: Run
    core: int | None = None


def paired_chunks(pair: Pair) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The chunks of a pair as ratios need them: A's two chunks of each A B B A, and B's two."""
    return [
        (np.concatenate(pair.first.chunks[i : i + 2]), np.concatenate(pair.second.chunks[i : i + 2]))
        for i in range(0, len(pair.first.chunks), 2)
    ]


def bytes_of(name: str) -> Callable[[Run], float]:
    """The memory of that name in bytes; NaN where it was not reported."""

    def of_run(run: Run) -> float:
        quantity = run.memory.get(name)
        return quantity.value if isinstance(quantity, Measurement) else float("nan")

    return of_run
