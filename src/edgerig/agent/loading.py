"""Helpers for loading a network in a worker: importing its engine, its memory, and its name in errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgerig.errors import EdgerigError
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.measure.memory import peak_rss
from edgerig.runtimes.base import Runtime


def network_memory(before: Quantity, since: str) -> dict[str, Quantity]:
    """What loading and the first inference added to the process, in bytes."""
    peak = peak_rss(since=since)
    if not (isinstance(peak, Measurement) and isinstance(before, Measurement)) or since != "just before loading":
        return {}
    return {
        "network_rss": Measurement(
            value=max(0.0, peak.value - before.value),
            unit="B",
            kind="measured",
            method="VmHWM after the first inference less VmRSS before loading",
        )
    }


@contextlib.contextmanager
def errors_name(path: Path, name: str) -> Iterator[None]:
    """Errors within the block name the file ``path``, which lies under its hash, as the host's user does: ``name``."""
    try:
        yield
    except EdgerigError as error:
        error.message = error.message.replace(str(path), name).replace(path.name, name)
        error.args = (error.message,)
        raise


def import_engine(runtime: Runtime, path: Path) -> None:
    """Have the engine imported, so that its memory is not counted as the network's."""
    # What fails here fails again in `Runtime.load`, whose error is the better one.
    with contextlib.suppress(Exception):
        runtime._prepare(path)
