"""Helpers for loading a network in a worker: its runtime's name, its memory, and its name in errors."""

from __future__ import annotations

import contextlib
import os
import resource
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgerig.collector import paused_collector
from edgerig.errors import EdgerigError, InferenceError, UnknownNameError
from edgerig.measure.kinds import Measurement, Quantity
from edgerig.measure.memory import peak_rss
from edgerig.runtimes.base import Runtime
from edgerig.wire.messages import Loaded, ModelHeader


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
    with contextlib.suppress(Exception), paused_collector():
        runtime._prepare(path)


def unknown_runtime(name: str, allowed: Sequence[str]) -> UnknownNameError:
    """The error for a runtime that clients of this agent may not ask for; of a class of the user's it tells how to
    allow it, since no client can have one imported."""
    error = UnknownNameError("runtime", name, allowed)
    if ":" in name:
        error.hint = (
            "An agent imports only what it was started with, on its own machine: "
            f"edgerig agent --runtime {shlex.quote(name)}, and one --runtime more for each other that clients may ask "
            f"for. It takes: {', '.join(error.known) or 'none'}."
        )
    return error


def check_libraries(runtime: Runtime, allowed: Sequence[str] | None) -> None:
    """Refuse settings that have code loaded from a file that was not allowed; None allows any.

    Raises:
        InferenceError: One is not among ``allowed``.
    """
    if allowed is None:
        return
    for library in runtime.libraries():
        if library not in allowed:
            raise InferenceError(
                f"This agent loads no code from {library!r}: clients may name {', '.join(allowed) or 'no library'}.",
                f"Start it with --library {shlex.quote(library)} if its clients may; the name must be the same.",
            )


def check_machine_code(runtime: Runtime, named: Sequence[str] | None) -> None:
    """Refuse a runtime whose networks are machine code, unless this agent was told that clients may have it; None
    allows any.

    Raises:
        InferenceError: It is not among ``named``.
    """
    if runtime.runs_machine_code and named is not None and runtime.name not in named:
        raise InferenceError(
            f"Networks of runtime {runtime.name!r} are machine code, which this agent does not run for its clients.",
            f"Start it with --runtime {runtime.name} if they may, and one --runtime more for each other that they may "
            "ask for.",
        )


def out_of_memory() -> InferenceError:
    """The error of a session that has used up its memory."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    granted = f" of {limit} B" if limit != resource.RLIM_INFINITY else ""
    return InferenceError(
        f"The session ran out of memory{granted}.", "Choose a smaller network, or raise --max-memory of the agent."
    )


def specification_of(runtime: Runtime, header: ModelHeader, clock: str, window: int) -> Loaded:
    """What a host is told of a network that was loaded."""
    return Loaded(
        inputs=runtime.inputs,
        outputs=runtime.outputs,
        load_seconds=runtime.load_seconds,
        sha256=header.sha256,
        runtime=header.runtime,
        runtime_version=runtime.version(),
        clock=clock,
        invoke_method=runtime.invoke_method,
        threads=runtime.settings.threads,
        window=window,
        emulated=runtime.emulated,
    )


def last_output(path: Path, most: int) -> str:
    """At most so many bytes from the end of what engine and process have printed."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read().decode(errors="ignore")
    except OSError:
        return ""
