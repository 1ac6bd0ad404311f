"""What a device answers, checked where it comes in, and trusted afterwards.

A device may be broken, of another version, or hostile. Values that a measurement depends on, such as shapes, counts and
times, raise an `AnswerError` if they are impossible. Of side information, such as a temperature, only the impossible
figure is dropped. Control characters are removed from texts (`edgerig.text`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from edgerig.artifact import ITEM_SIZES, Quantization, TensorSpec
from edgerig.errors import AnswerError, WireError
from edgerig.measure.clocks import resolution_seconds
from edgerig.measure.kinds import Quantity, Unavailable
from edgerig.measure.machine import MachineState, unknown_machine
from edgerig.text import lines, one_line
from edgerig.wire.frame import Frame
from edgerig.wire.messages import Hello, Loaded, Statistics, unpack, unpack_tensors
from edgerig.wire.utilisation import checked_utilisation

#: Plausibility limits: no device has more tensors, dimensions, elements, threads or bytes.
MOST_TENSORS, MOST_DIMENSIONS, MOST_ELEMENTS = 256, 16, 2**40
MOST_THREADS, MOST_CORES, MOST_BYTES = 4096, 65536, 2**60
#: Longest plausible duration, in seconds: a larger one means that a clock was read wrongly.
LONGEST_SECONDS = 1e7
#: Longest lease duration that is accepted, in seconds; it is renewed several times in that time.
LONGEST_LEASE = 86_400.0
#: Names of figures, layers and packages that are kept.
MOST_NAMES = 1000
MOST_LAYERS = 65536
#: Characters of a name, of a message, and of a log.
NAME, MESSAGE, LOG = 200, 4000, 4096
#: How much faster than the host's a device's clock may run: oscillators without a crystal are off by a few percent.
CLOCK_TOLERANCE = 0.05
#: A clock that ticks at most so many seconds apart cannot stand still over an inference.
FINE_TICK = 10e-9
#: Resolution of the coarsest clock that is accepted, in seconds.
COARSEST_TICK = 1.0

Named = TypeVar("Named")


def decoded(data: bytes | memoryview, kind: Any, what: str, who: str) -> Any:
    """The content of an answer to ``what``, decoded as the type ``kind``.

    Raises:
        AnswerError: It is of another type.
    """
    try:
        return unpack(data, kind)
    except WireError as error:
        raise AnswerError(f"{who} answers {what} with what it cannot be: {error.message}", error.hint) from error


def tensors(frame: Frame, who: str, before: int = 0) -> tuple[int, list[memoryview]]:
    """As `edgerig.wire.messages.unpack_tensors`, out of an answer.

    Raises:
        AnswerError: Header and payload do not agree.
    """
    try:
        return unpack_tensors(frame.header, frame.payload, before)
    except WireError as error:
        raise AnswerError(f"{who} answers with tensors that cannot be: {error.message}", error.hint) from error


def checked_hello(hello: Hello, who: str) -> Hello:
    """The device's HELLO, checked.

    Raises:
        AnswerError: It takes no messages that anything could be asked with, or tells what cannot be.
    """
    if hello.max_header < 16 or hello.max_payload < 1:
        raise _refused(
            who, f"takes messages of {hello.max_header} B of header and {hello.max_payload} B of payload at most"
        )
    grant = hello.grant
    if grant is not None and (not 0 <= grant.fence < 2**63 or min(grant.max_model, grant.sessions) < 0):
        what = f"number {grant.fence} for {grant.sessions} sessions and networks of {grant.max_model} B"
        raise _refused(who, f"grants a lease of {what}")
    if grant is not None:
        seconds = min(grant.seconds, LONGEST_LEASE) if math.isfinite(grant.seconds) and grant.seconds > 0 else 0.0
        grant = replace(grant, seconds=seconds)
    if hello.network and not _is_sha256(hello.network):
        raise _refused(who, f"names the network that is built in as {one_line(hello.network, 80)!r}, which is no hash")
    return replace(
        hello,
        software=one_line(hello.software, NAME),
        max_header=min(hello.max_header, 0xFFFF),
        max_payload=min(hello.max_payload, 0xFFFFFFFF),
        runtimes=tuple(one_line(name, NAME) for name in hello.runtimes[:MOST_NAMES]),
        clock=one_line(hello.clock, NAME),
        reset_cause=_text(hello.reset_cause),
        grant=grant,
    )


def checked_machine(state: MachineState | None, who: str) -> MachineState:
    """The state of a device's machine. Impossible figures become None; so does a missing machine."""
    if state is None:
        return unknown_machine(one_line(who, NAME))
    changes: dict[str, Any] = {
        name: _text(getattr(state, name))
        for name in ("host", "system", "architecture", "cpu", "governor", "virtual", "python", "edgerig", "time")
    }
    for name, (low, high) in _MACHINE_BOUNDS.items():
        value = getattr(state, name)
        changes[name] = value if value is not None and math.isfinite(value) and low <= value <= high else None
    packages = list(state.packages.items())[:MOST_NAMES]
    changes["packages"] = {one_line(name, NAME): one_line(version, NAME) for name, version in packages}
    changes["cores"] = state.cores if 0 < state.cores <= MOST_CORES else 0
    return replace(state, **changes)


_MACHINE_BOUNDS: dict[str, tuple[float, float]] = {
    "cores_total": (1, MOST_CORES), "memory_bytes": (1, MOST_BYTES), "memory_free_bytes": (0, MOST_BYTES),
    "load_1min": (0, 1e6), "frequency_hz": (1, 1e12), "temperature_c": (-273, 1000), "throttle_events": (0, 2**53),
    "busy_seconds": (0, 1e12), "stolen_seconds": (0, 1e12), "own_seconds": (0, 1e12), "uptime_seconds": (0, 1e12),
}  # fmt: skip


def checked_loaded(loaded: Loaded, who: str) -> Loaded:
    """What a device says that it has loaded.

    Raises:
        AnswerError: Its tensors, its hash or one of its numbers cannot be.
    """
    for what, specs in (("inputs", loaded.inputs), ("outputs", loaded.outputs)):
        if not 1 <= len(specs) <= MOST_TENSORS:
            raise _refused(who, f"tells {len(specs)} {what} of the network")
    if not (math.isfinite(loaded.load_seconds) and 0 <= loaded.load_seconds <= LONGEST_SECONDS):
        raise _refused(who, f"has loaded the network in {loaded.load_seconds} s")
    if not 1 <= loaded.threads <= MOST_THREADS:
        raise _refused(who, f"runs the network with {loaded.threads} threads")
    if not _is_sha256(loaded.sha256):
        raise _refused(who, f"names the network's SHA-256 as {one_line(loaded.sha256, 80)!r}")
    return replace(
        loaded,
        inputs=tuple(_checked_spec(spec, who, "input", 1) for spec in loaded.inputs),
        outputs=tuple(_checked_spec(spec, who, "output", -1) for spec in loaded.outputs),
        runtime=one_line(loaded.runtime, NAME),
        runtime_version=one_line(loaded.runtime_version, NAME),
        clock=one_line(loaded.clock, NAME),
        invoke_method=one_line(loaded.invoke_method, NAME),
        emulated=one_line(loaded.emulated, NAME),
        window=max(1, loaded.window),
    )


def _checked_spec(spec: TensorSpec, who: str, what: str, least: int) -> TensorSpec:
    """A tensor specification. A dimension may be -1 or 0 (not known in advance), in outputs only."""
    name = one_line(spec.name, NAME)
    if spec.dtype not in ITEM_SIZES:
        raise _refused(who, f"tells the dtype {one_line(spec.dtype, 40)!r} of {what} {name!r}")
    sizes = [max(size, 1) for size in spec.shape]
    if len(sizes) > MOST_DIMENSIONS or math.prod(sizes) > MOST_ELEMENTS or any(size < least for size in spec.shape):
        raise _refused(who, f"tells the shape {list(spec.shape)[: MOST_DIMENSIONS + 1]} of {what} {name!r}")
    scheme = spec.quantization
    if scheme is not None and not scheme.scales and not scheme.zero_points:
        scheme = None
    if scheme is not None and not _is_sound(scheme, len(spec.shape)):
        raise _refused(who, f"tells a quantization of {what} {name!r} that cannot be: {_brief(scheme)}")
    return replace(spec, name=name, quantization=scheme)


def _is_sound(scheme: Quantization, dimensions: int) -> bool:
    return (
        len(scheme.scales) == len(scheme.zero_points)
        and all(math.isfinite(scale) and scale > 0 for scale in scheme.scales)
        and all(-(2**31) <= zero < 2**31 for zero in scheme.zero_points)
        and (scheme.axis is None or 0 <= scheme.axis < max(dimensions, 1))
    )


def check_against_file(loaded: Loaded, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], who: str) -> None:
    """Whether what a device has loaded is what stands in the file, as far as the file is known to this host.

    Raises:
        AnswerError: A count, a dtype, a size or a scale is another one.
    """
    for what, reported, own in (("input", loaded.inputs, inputs), ("output", loaded.outputs, outputs)):
        if own and len(reported) != len(own):
            raise _refused(who, f"tells {len(reported)} {what}s of a network that has {len(own)}")
        for theirs, ours in zip(reported, own, strict=False):
            difference = _difference(theirs, ours)
            if difference:
                raise _refused(who, f"tells another {what} than the file has, {ours.name!r}: {difference}")


def completed(loaded: Loaded, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Loaded:
    """What a device has loaded, with the scales of the file where the device tells none: it need not know them."""
    return replace(loaded, inputs=_with_scales(loaded.inputs, inputs), outputs=_with_scales(loaded.outputs, outputs))


def _with_scales(reported: Sequence[TensorSpec], own: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    if len(reported) != len(own):
        return tuple(reported)
    pairs = zip(reported, own, strict=True)
    return tuple(
        replace(theirs, quantization=ours.quantization) if theirs.quantization is None else theirs
        for theirs, ours in pairs
    )


def _difference(reported: TensorSpec, own: TensorSpec) -> str | None:
    if reported.dtype != own.dtype:
        return f"{reported.dtype} instead of {own.dtype}"
    known = all(size > 0 for size in (*reported.shape, *own.shape))
    if known and reported.elements != own.elements:
        return f"{list(reported.shape)} instead of {list(own.shape)}"
    theirs, ours = reported.quantization, own.quantization
    if theirs is None or ours is None:
        return None
    same = len(theirs.scales) == len(ours.scales) and theirs.zero_points == ours.zero_points
    same &= theirs.axis == ours.axis or not ours.per_channel
    if same and np.allclose(theirs.scales, ours.scales, rtol=1e-5, atol=0):
        return None
    return f"{_brief(theirs)} instead of {_brief(ours)}"


def checked_statistics(statistics: Statistics, who: str) -> Statistics:
    """The answer to STATS.

    Raises:
        AnswerError: A count or a time is negative.
    """
    if not 0 <= statistics.last_inference_ns < 2**63:
        raise _refused(who, f"tells a time of {statistics.last_inference_ns} ns for an inference")
    if statistics.inferences < 0 or statistics.cpu_ns < 0:
        raise _refused(
            who, f"tells {statistics.inferences} inferences and {statistics.cpu_ns} ns of the processor's time"
        )
    changes: dict[str, Any] = {}
    if statistics.machine is not None:
        changes["machine"] = checked_machine(statistics.machine, who)
    if statistics.memory is not None:
        changes["memory"] = checked_quantity(statistics.memory, who, "B")
    if statistics.sensors is not None:
        changes["sensors"] = checked_quantities(statistics.sensors, who, None)
    if statistics.utilisation is not None:
        changes["utilisation"] = checked_utilisation(statistics.utilisation, who)
    return replace(statistics, **changes)


def checked_quantities(quantities: Mapping[str, Quantity], who: str, unit: str | None) -> dict[str, Quantity]:
    """Figures by name, in ``unit`` where they have one; an impossible one becomes `Unavailable` with the reason."""
    names = list(quantities.items())[:MOST_NAMES]
    return {one_line(name, NAME): checked_quantity(quantity, who, unit) for name, quantity in names}


def checked_quantity(quantity: Quantity, who: str, unit: str | None) -> Quantity:
    """One figure: finite, and for bytes and seconds not negative."""
    if isinstance(quantity, Unavailable):
        return Unavailable(one_line(quantity.reason, MESSAGE))
    value, own = quantity.value, one_line(quantity.unit, 40)
    counted = own in ("B", "s")
    if unit is not None and own != unit:
        return Unavailable(f"{who} told it in {own!r}, not in {unit}")
    if not math.isfinite(value) or (counted and not 0 <= value <= (MOST_BYTES if own == "B" else LONGEST_SECONDS)):
        return Unavailable(f"{who} told {value} {own}, which cannot be")
    bounds = {
        name: bound if bound is not None and math.isfinite(bound) else None
        for name, bound in (("low", quantity.low), ("high", quantity.high))
    }
    return replace(
        quantity,
        unit=own,
        method=one_line(quantity.method, MESSAGE),
        clock=_text(quantity.clock),
        n=max(0, quantity.n),
        warnings=tuple(one_line(text, MESSAGE) for text in quantity.warnings[:20]),
        **bounds,
    )


def checked_layers(layers: Sequence[Named] | Unavailable, who: str) -> list[Named] | Unavailable:
    """The operators of a profile, `edgerig.measure.profile.LayerTime` or the like; or why there is none.

    Raises:
        AnswerError: They are more than any network has.
    """
    if isinstance(layers, Unavailable):
        return Unavailable(one_line(layers.reason, MESSAGE))
    if len(layers) > MOST_LAYERS:
        raise _refused(who, f"tells {len(layers)} operators in its profile")
    return [_checked_layer(layer, who) for layer in layers]


def _checked_layer(layer: Any, who: str) -> Any:
    shape = layer.output_shape
    sound = shape is not None and len(shape) <= MOST_DIMENSIONS and all(0 <= size <= MOST_ELEMENTS for size in shape)
    changes: dict[str, Any] = {
        "index": max(0, layer.index),
        "name": one_line(layer.name, NAME),
        "op": one_line(layer.op, NAME),
        "placement": one_line(layer.placement, NAME),
        "time": checked_quantity(layer.time, who, "s"),
        "output_shape": shape if sound else None,
    }
    if layer.instructions is not msgspec.UNSET:
        changes["instructions"] = checked_quantity(layer.instructions, who, "instructions")
    return replace(layer, **changes)


def check_times(times_ns: NDArray[np.int64], clock: str, span_ns: int | None, who: str) -> None:
    """On-device times of the inferences of one or more requests.

    Args:
        clock: The device's clock with its resolution, as it told when it loaded the network.
        span_ns: Time on the host's clock within which they all ran, one after the other; None where the host's
            clock has nothing to do with the device's.

    Raises:
        AnswerError: One is negative, or zero on a clock that ticks finely, or they are longer than the host waited.
    """
    least = int(times_ns.min())
    tick = resolution_seconds(clock)
    if least < 0:
        raise _refused(who, f"tells a time of {least} ns for an inference")
    if least == 0 and tick is not None and 0 < tick <= FINE_TICK:
        raise _refused(who, f"tells a time of 0 ns for an inference, by a clock that ticks every {tick * 1e9:g} ns")
    if span_ns is not None:
        # Summed as floats: int64 overflows where a device tells its largest numbers.
        check_total(float(times_ns.sum(dtype=np.float64)), times_ns.size, clock, span_ns, who)


def check_total(total_ns: float, count: int, clock: str, span_ns: int, who: str) -> None:
    """The sum of the on-device times of ``count`` inferences; the rest as for `check_times`.

    One tick more than the host's span is allowed, however many inferences there are: they ran one after the other, so
    that each tick of the device's clock lies in one of them at most.

    Raises:
        AnswerError: It is longer than the host waited for them.
    """
    tick = min(resolution_seconds(clock) or 0.0, COARSEST_TICK)
    allowed = span_ns * (1 + CLOCK_TOLERANCE) + tick * 1e9
    if total_ns > allowed:
        what = "an inference" if count == 1 else f"{count:,} inferences"
        raise AnswerError(
            f"{who} tells {total_ns * 1e-9:.6g} s for {what} that were asked for and answered within "
            f"{span_ns * 1e-9:.6g} s: its clock runs {total_ns / span_ns:.1f} times too fast or more.",
            "Look at the frequency that its firmware or runtime takes its clock for.",
        )


def check_load(load_seconds: float, span_ns: int, who: str) -> None:
    """The time that loading took, against the time from sending the network to its answer on the host's clock.

    Raises:
        AnswerError: It is longer.
    """
    if load_seconds * 1e9 > span_ns * (1 + CLOCK_TOLERANCE):
        raise AnswerError(
            f"{who} tells {load_seconds:.6g} s for loading the network, and answered within {span_ns * 1e-9:.6g} s: "
            "its clock runs too fast.",
            "Look at the frequency that its firmware or runtime takes its clock for.",
        )


def checked_log(payload: memoryview) -> str:
    """The last lines of a device's log."""
    return lines(bytes(payload[-4 * LOG :]).decode(errors="replace"), LOG)


def _refused(who: str, what: str) -> AnswerError:
    return AnswerError(
        f"{who} {what}, which cannot be.", "Its software is at fault, or of another version: docs/wire.md says what is."
    )


def _brief(scheme: Quantization) -> str:
    return f"scales {list(scheme.scales[:3])}, zero points {list(scheme.zero_points[:3])}, axis {scheme.axis}"


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)


def _text(value: str | None) -> str | None:
    return None if value is None else one_line(value, NAME)
