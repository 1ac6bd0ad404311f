"""The content of frames: typed headers and answers.

Headers of control messages are msgpack arrays with fields in a fixed order; new fields are only ever appended, and a
receiver ignores fields that it does not know. Messages of the measuring loop have a header of fixed binary fields,
which a microcontroller reads in place. Tensors travel as they lie in memory: row-major, little endian, no padding;
tensor after tensor, each with all its samples.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from edgerig import errors
from edgerig.artifact import TensorSpec
from edgerig.errors import EdgerigError, WireError
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState
from edgerig.measure.utilisation import Utilisation
from edgerig.text import lines, one_line
from edgerig.wire.ownership import Grant, Owner

#: Samples, tensors, a reserved field; then the bytes of each tensor (all its samples) as u32.
_TENSORS = struct.Struct("<IHH")
#: Bytes of a header with tensors whose layout is kept; it has 62 of them.
_SHORT_HEADER = 256
#: Longest message and hint that an error carries over the wire, in characters.
_TEXT = 8000
#: Longest header of a message, in bytes: what its preamble can say.
LONGEST_HEADER = 0xFFFF


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """Introduces a peer and its limits. Sent by the host, answered by the device in an OK.

    Attributes:
        protocol: Version of the protocol.
        software: Name and version of the program.
        max_header, max_payload: Bytes that the sender of this hello takes in one frame.
        kinds: Message kinds that it answers.
        runtimes: Runtimes that it has; empty for a host.
        clock: The clock of its on-device times; empty for a host.
        boot: Differs from one start of the device to the next; 0 if the device does not report it.
        network: SHA-256 of the network that is built in; empty if networks are sent.
        reset_cause: Why the device started last, if it knows.
        owner: Who asks for the device; from a host. None for whoever needs no lease.
        grant: What the owner was given; from a device that grants leases.
    """

    protocol: int
    software: str
    max_header: int
    max_payload: int
    kinds: tuple[int, ...] = ()
    runtimes: tuple[str, ...] = ()
    clock: str = ""
    boot: int = 0
    network: str = ""
    reset_cause: str | None = None
    owner: Owner | None = None
    grant: Grant | None = None


class ModelHeader(msgspec.Struct, frozen=True, array_like=True):
    """Load the file in the payload with ``runtime``. ``name`` is for people; no file is ever called by it.

    Where ``total`` is not 0 the payload is a part of a file of so many bytes, the one that begins at byte ``offset``.
    Parts come in order, and the file is loaded with the last one.
    """

    runtime: str
    options: dict[str, Any]
    format: str
    sha256: str
    name: str
    offset: int = 0
    total: int = 0


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to MODEL, as a msgpack map in the payload; fields as in `edgerig.targets.base.LoadReport`.

    ``window`` is how many requests the host may have under way at once.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    load_seconds: float
    sha256: str
    runtime: str
    runtime_version: str
    clock: str
    invoke_method: str
    threads: int
    window: int = 1
    emulated: str = ""


class StatsHeader(msgspec.Struct, frozen=True, array_like=True):
    """Ask for statistics; with ``machine`` also for the state of the machine, which takes milliseconds.

    With ``sensors`` also for power, energy and temperature, which may take more. ``utilisation`` is ``begin`` or
    ``end``: sample the device between requests from now on; or stop that, and answer with the samples.
    """

    machine: bool = False
    sensors: bool = False
    utilisation: str = ""


class Statistics(msgspec.Struct, frozen=True, array_like=True):
    """The answer to STATS: the last inference in ns on the device's clock, and how many there were since loading.

    ``cpu_ns`` is the processor time that the process has used. ``machine``, ``memory`` (bytes that the process has now)
    and ``sensors`` (as `edgerig.measure.power.sensors`) are None unless they were asked for; so is ``utilisation``,
    which is unavailable right after its beginning.
    """

    last_inference_ns: int
    inferences: int
    cpu_ns: int
    machine: MachineState | None = None
    memory: Quantity | None = None
    sensors: dict[str, Quantity] | None = None
    utilisation: Utilisation | Unavailable | None = None


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """The header of an ERROR: a code out of ``CODES``, what is wrong, how to mend it, details by code."""

    code: int
    message: str
    hint: str | None = None
    details: tuple[Any, ...] = ()


class TracedFailure(Failure, frozen=True, array_like=True):
    """A `Failure` with the traceback on the device, where a plugin or an engine raised what it should not have."""

    trace: str | None = None


#: Error codes that are about the protocol or the program itself.
INTERNAL, BUSY, BAD_FRAME, UNSUPPORTED = 1, 2, 3, 4
#: A request is not the next one; the first detail is the sequence number that is, or 0 if HELLO must come first.
OUT_OF_SEQUENCE = 5
#: The host must prove itself; the first detail is the device's nonce, if it may try.
UNAUTHORIZED = 6
#: The lease has passed to another owner.
STALE = 7

#: Error code -> class that is raised on the host. The numbers are part of the protocol.
CODES: dict[int, type[EdgerigError]] = {
    INTERNAL: errors.TargetError,
    BUSY: errors.LeaseError,
    BAD_FRAME: errors.WireError,
    UNSUPPORTED: errors.TargetError,
    OUT_OF_SEQUENCE: errors.WireError,
    UNAUTHORIZED: errors.TargetError,
    STALE: errors.LeaseError,
    16: errors.EdgerigError,
    17: errors.UsageError,
    18: errors.SpecError,
    19: errors.UnknownNameError,
    20: errors.MissingExtraError,
    21: errors.IncompatibleError,
    22: errors.DatasetError,
    23: errors.SourceError,
    24: errors.ModelError,
    25: errors.CompileError,
    26: errors.ArtifactCheckError,
    27: errors.InferenceError,
    28: errors.TargetError,
    29: errors.WireError,
    30: errors.StorageError,
    # Only a user stops a run.
    31: errors.TargetError,
    32: errors.NotInstalledError,
    33: errors.MissingProgramError,
    34: errors.EngineError,
}
#: Of several codes of a class the lowest.
_CODE_OF = {cls: code for code, cls in sorted(CODES.items(), reverse=True) if code >= 16}


def failure_of(error: BaseException) -> Failure:
    """An error as a `Failure` message; an exception that is not edgerig's becomes INTERNAL."""
    failure, trace = _failure_of(error), errors.foreign_trace(error)
    if trace is not None:
        # Its end names the line that raised it.
        traced = TracedFailure(failure.code, failure.message, failure.hint, failure.details, trace[-_TEXT:])
        if len(pack(traced)) <= LONGEST_HEADER:
            return traced
    return failure


def _failure_of(error: BaseException) -> Failure:
    if not isinstance(error, EdgerigError):
        text = f"The device's program failed: {type(error).__name__}: {error}"
        return Failure(INTERNAL, text[:_TEXT], "This is a fault of edgerig or of a plugin; please report it.")
    if isinstance(error, errors.LeaseError):
        stale = error.retry_after is None
        return Failure(STALE if stale else BUSY, error.message, error.hint, () if stale else (error.retry_after,))
    # A plugin's own subclass is sent as the nearest class that both sides know.
    code = next(_CODE_OF[cls] for cls in type(error).__mro__ if cls in _CODE_OF)
    details: tuple[Any, ...] = ()
    if isinstance(error, errors.UnknownNameError):
        details = (error.what, error.name, error.known[:200])
    elif isinstance(error, errors.MissingExtraError):
        details = (error.what, error.extra, error.package)
    return Failure(code, error.message[:_TEXT], error.hint[:_TEXT] if error.hint else None, details)


class Unsupported(errors.AnswerError):
    """The device does not understand requests of that kind."""


class Challenge(errors.TargetError):
    """The device asks for a proof that we know its token; ``nonce`` is empty if it takes no other try."""

    nonce = b""


def error_of(failure: Failure, who: str = "", *, answer: bool = False) -> EdgerigError:
    """The error that a device reported, as the class that it raised; its text is cleaned.

    Args:
        who: The device's name, put before the message unless it is empty or already in it.
        answer: Whether it answers a request, so that asking again does not help.
    """
    # Messages of our own processes may be tables; those of others must stay on one line, to not pass for ours.
    clean = one_line if who else lines
    message, hint = clean(failure.message, _TEXT), None if failure.hint is None else clean(failure.hint, _TEXT)
    if who and who not in message:
        message = f"{who}: {message}"
    failure = msgspec.structs.replace(failure, message=message, hint=hint)
    cls = CODES.get(failure.code, errors.TargetError)
    if answer and failure.code == UNSUPPORTED:
        cls = Unsupported
    elif answer and cls is errors.TargetError and failure.code != UNAUTHORIZED:
        cls = errors.AnswerError
    error = _error_of_class(cls, failure)
    trace = getattr(failure, "trace", None)
    if trace is not None:
        error.__cause__ = errors.ForeignTraceback(lines(trace, _TEXT))
    return error


def _error_of_class(cls: type[EdgerigError], failure: Failure) -> EdgerigError:
    error: EdgerigError
    try:
        if cls is errors.UnknownNameError:
            what, name, known = failure.details
            error = errors.UnknownNameError(one_line(what), one_line(name), [one_line(text) for text in known[:200]])
        elif cls is errors.MissingExtraError:
            what, extra, package = failure.details
            error = errors.MissingExtraError(one_line(what), one_line(extra), one_line(package))
        elif failure.code == BUSY:
            (seconds,) = failure.details or (0.0,)
            seconds = float(seconds)
            error = errors.LeaseError(failure.message, failure.hint, seconds if 0 <= seconds < 1e6 else 0.0)
        elif failure.code == UNAUTHORIZED:
            error = challenge = Challenge(failure.message, failure.hint)
            nonce = failure.details[0] if failure.details else b""
            challenge.nonce = nonce if isinstance(nonce, bytes) else b""
        else:
            return cls(failure.message, failure.hint)
    except (TypeError, ValueError, OverflowError):
        return errors.TargetError(failure.message, failure.hint)
    # The device's own words, should it be of another version.
    error.message, error.hint = failure.message, failure.hint
    return error


def pack(value: Any) -> bytes:
    """``value`` in msgpack."""
    return msgspec.msgpack.encode(value)


def unpack(data: bytes | memoryview, kind: Any) -> Any:
    """A value of the type ``kind`` out of msgpack.

    Raises:
        WireError: It is none of that type.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"A message could not be read: {error}.", "Install the same edgerig on both sides.") from error


def pack_tensors(count: int, sizes: Sequence[int]) -> bytes:
    """The fixed header of RUN, DATA, PROFILE and of answers with tensors: samples, and bytes of each tensor."""
    return _pack_tensors(count, tuple(sizes))


# Both functions are called in every round trip, nearly always with the same arguments, so their results are cached.
# Only for short headers: a peer could send a different long one with every message.
@lru_cache(256)
def _pack_tensors(count: int, sizes: tuple[int, ...]) -> bytes:
    return _TENSORS.pack(count, len(sizes), 0) + struct.pack(f"<{len(sizes)}I", *sizes)


def _layout(header: bytes, length: int, before: int) -> tuple[int, tuple[slice, ...]]:
    """Samples, and where in a payload of ``length`` bytes each tensor lies."""
    try:
        count, tensors, _ = _TENSORS.unpack_from(header)
        sizes = struct.unpack_from(f"<{tensors}I", header, _TENSORS.size)
    except struct.error as error:
        raise WireError(f"A header of tensors is too short: {len(header)} B.") from error
    offset = before * count
    if count == 0 or offset + sum(sizes) != length or any(size % count for size in sizes):
        raise WireError(f"{count} samples in tensors of {list(sizes)} B do not make a payload of {length} B.")
    parts = []
    for size in sizes:
        parts.append(slice(offset, offset + size))
        offset += size
    return count, tuple(parts)


_kept_layout = lru_cache(256)(_layout)


def unpack_tensors(header: bytes, payload: memoryview, before: int = 0) -> tuple[int, list[memoryview]]:
    """Samples, and a view of each tensor's bytes, out of a message with tensors.

    Args:
        before: Bytes of the payload that each sample takes before the tensors (8 where there are times).

    Raises:
        WireError: Header and payload do not agree.
    """
    layout = _kept_layout if len(header) <= _SHORT_HEADER else _layout
    count, parts = layout(header, len(payload), before)
    return count, [payload[part] for part in parts]
