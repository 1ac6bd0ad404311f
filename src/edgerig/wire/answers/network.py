"""What a device says that it has loaded, also against the file that it was sent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from edgerig.artifact import ITEM_SIZES, Quantization, TensorSpec
from edgerig.text import one_line
from edgerig.wire.answers.plausible import (
    LONGEST_SECONDS,
    MOST_DIMENSIONS,
    MOST_ELEMENTS,
    MOST_TENSORS,
    MOST_THREADS,
    NAME,
    is_sha256,
    refused,
)
from edgerig.wire.messages import Loaded


def checked_loaded(loaded: Loaded, who: str) -> Loaded:
    """What a device says that it has loaded.

    Raises:
        AnswerError: Its tensors, its hash or one of its numbers cannot be.
    """
    for what, specs in (("inputs", loaded.inputs), ("outputs", loaded.outputs)):
        if not 1 <= len(specs) <= MOST_TENSORS:
            raise refused(who, f"tells {len(specs)} {what} of the network")
    if not (math.isfinite(loaded.load_seconds) and 0 <= loaded.load_seconds <= LONGEST_SECONDS):
        raise refused(who, f"has loaded the network in {loaded.load_seconds} s")
    if not 1 <= loaded.threads <= MOST_THREADS:
        raise refused(who, f"runs the network with {loaded.threads} threads")
    if not is_sha256(loaded.sha256):
        raise refused(who, f"names the network's SHA-256 as {one_line(loaded.sha256, 80)!r}")
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
        raise refused(who, f"tells the dtype {one_line(spec.dtype, 40)!r} of {what} {name!r}")
    sizes = [max(size, 1) for size in spec.shape]
    if len(sizes) > MOST_DIMENSIONS or math.prod(sizes) > MOST_ELEMENTS or any(size < least for size in spec.shape):
        raise refused(who, f"tells the shape {list(spec.shape)[: MOST_DIMENSIONS + 1]} of {what} {name!r}")
    scheme = spec.quantization
    if scheme is not None and not scheme.scales and not scheme.zero_points:
        scheme = None
    if scheme is not None and not _is_sound(scheme, len(spec.shape)):
        raise refused(who, f"tells a quantization of {what} {name!r} that cannot be: {_brief(scheme)}")
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
            raise refused(who, f"tells {len(reported)} {what}s of a network that has {len(own)}")
        for theirs, ours in zip(reported, own, strict=False):
            difference = _difference(theirs, ours)
            if difference:
                raise refused(who, f"tells another {what} than the file has, {ours.name!r}: {difference}")


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


def _brief(scheme: Quantization) -> str:
    return f"scales {list(scheme.scales[:3])}, zero points {list(scheme.zero_points[:3])}, axis {scheme.axis}"
