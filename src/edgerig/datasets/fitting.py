"""Fits samples to a network's input: its layout, and its batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact, Layout, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError

#: Axes of an image: height, width, channels.
IMAGE_AXES = 3
#: Possible numbers of channels: grey, colour, and colour with opacity.
CHANNELS = frozenset({1, 3, 4})
#: Orders of a sample's axes: unchanged, or with the channels moved to the front.
Order = Literal["as is", "channels first"]


def check_size(dataset: Dataset, network: Artifact) -> None:
    """Refuse a dataset whose samples cannot fit a network's input, before it is downloaded.

    Only the number of values is compared, and only where dataset and network state it beforehand: the order of axes and
    flattening are checked by `fit`.

    Raises:
        IncompatibleError: The number of values per sample differs.
    """
    shape = dataset.sample_shape
    if shape is not None:
        shape = network.preprocessing.shape_of(shape)
    for spec in network.inputs[:1]:
        wanted = spec.shape[1:]
        if shape is not None and min(wanted, default=0) > 0 and math.prod(shape) != math.prod(wanted):
            raise _unfit(shape, wanted, spec.name, dataset.name)


#: How a dataset gives samples of another shape, where it has a setting of its own for that.
_REMEDY = {"random": "Set the dataset's 'shape' to that of the network, without the batch."}


def _unfit(shape: Sequence[int], wanted: Sequence[int], name: str, dataset: str) -> IncompatibleError:
    return IncompatibleError(
        f"Dataset {dataset!r} gives samples of shape {list(shape)}, "
        f"but the network's input {name!r} takes {list(wanted)}.",
        _REMEDY.get(dataset) or _settings_for(shape, wanted),
    )


def _settings_for(shape: Sequence[int], wanted: Sequence[int]) -> str:
    """The settings by which datasets of images give samples of the shape that is ``wanted``."""
    other = "Use a dataset of that shape."
    if len(shape) != IMAGE_AXES or len(wanted) != IMAGE_AXES:
        return other
    last = wanted[-1] in CHANNELS
    height, width, channels = wanted if last else (*wanted[1:], wanted[0])
    settings = [f"size={height}"] if height == width and tuple(shape[:2]) != (height, width) else []
    settings += [f"channels={channels}"] if shape[-1] != channels else []
    if not settings:
        return other
    typed = " ".join(f"--dataset-option {setting}" for setting in settings)
    return f"Where the dataset has these settings, as folder has: {typed}. Or use one of that shape."


def fit(inputs: NDArray[Any], spec: TensorSpec, dataset: str, *, judged: bool = True) -> NDArray[Any]:
    """``inputs`` in the shape and layout of a network's input.

    Images, (H, W, C), are transposed to (C, H, W) where the network's layout, declared or inferred from the shape, is
    that. Axes may be flattened, and axes of length 1 added or dropped.

    Args:
        inputs: Shape (n, ...).
        spec: The network's input.
        dataset: The dataset's name, for messages.
        judged: Whether the position of a value matters; it does not for random numbers.

    Raises:
        IncompatibleError: The shapes do not fit, or both layouts would and none was declared.
    """
    sample_shape, wanted = tuple(inputs.shape[1:]), tuple(spec.shape[1:])
    if sample_shape == wanted and len(sample_shape) != IMAGE_AXES:
        return inputs
    order = _order(sample_shape, wanted, _declared(spec), spec.name, dataset, judged)
    if order == "channels first":
        inputs = np.ascontiguousarray(np.moveaxis(inputs, -1, 1))
    return inputs.reshape(len(inputs), *wanted)


def found_layout(
    sample_shape: tuple[int, ...], spec: TensorSpec, dataset: str, *, judged: bool = True
) -> Layout | None:
    """The layout of a network's input, as declared or as it follows from a sample's shape; else None.

    Raises:
        IncompatibleError: As for `fit`.
    """
    declared = _declared(spec)
    order = _order(tuple(sample_shape), tuple(spec.shape[1:]), declared, spec.name, dataset, judged)
    return declared or ("nchw" if order == "channels first" else None)


def likely_layout(shape: tuple[int, ...]) -> Layout | None:
    """The layout that the shape of a batch of images suggests, by the channel axis; None where it suggests none."""
    if len(shape) != 1 + IMAGE_AXES:
        return None
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first == last:
        return None
    return "nchw" if first else "nhwc"


def _declared(spec: TensorSpec) -> Layout | None:
    return None if isinstance(spec.layout, msgspec.UnsetType) else spec.layout


@lru_cache(256)
def _order(
    sample_shape: tuple[int, ...], wanted: tuple[int, ...], layout: Layout | None, name: str, dataset: str, judged: bool
) -> Order:
    """The order of axes that turns samples of the shape ``given`` into an input of the shape ``wanted``."""
    turned = (sample_shape[-1], *sample_shape[:-1]) if len(sample_shape) == IMAGE_AXES else None
    as_is, first = _fits(sample_shape, wanted), turned is not None and _fits(turned, wanted)
    # With one channel, or one pixel, transposing an image changes nothing.
    same = turned is None or sample_shape[-1] == 1 or math.prod(sample_shape[:-1]) == 1
    if layout == "nchw" and turned is not None and not first:
        raise IncompatibleError(
            f"Input {name!r} was declared to be channels first (nchw) and takes {list(wanted)}; dataset {dataset!r} "
            f"gives samples of shape {list(sample_shape)}, which are {list(turned)} then.",
            _REMEDY.get(dataset, "Use a dataset of that shape, or resize: folder and pet have a 'size' setting.")
            + " If its samples are channels first already, leave the layout out.",
        )
    if layout == "nhwc" and first and not as_is:
        raise IncompatibleError(
            f"Input {name!r} was declared to be channels last (nhwc) and takes {list(wanted)}; dataset {dataset!r} "
            f"gives samples of shape {list(sample_shape)}.",
            "Its shape is that of channels first: leave the layout out, or say nchw.",
        )
    if layout is None and as_is and first and not same and judged:
        raise IncompatibleError(
            f"Input {name!r} takes {list(wanted)}, and dataset {dataset!r} gives samples of shape "
            f"{list(sample_shape)}: both channels last and channels first would fit.",
            "Say which it is: --layout nchw (as PyTorch has it) or --layout nhwc; in a rig file, the model's 'layout'.",
        )
    if first and not same and (layout == "nchw" or not as_is):
        return "channels first"
    if not as_is and not first:
        raise _unfit(sample_shape, wanted, name, dataset)
    return "as is"


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    squeezed = tuple(n for n in shape if n != 1)
    return squeezed == tuple(n for n in wanted if n != 1) or (len(wanted) == 1 and math.prod(shape) == wanted[0])


def check_fixed(name: str, spec: TensorSpec) -> None:
    """Refuse an input with axes that the file leaves free, except for the batch axis, which counts as 1.

    Raises:
        IncompatibleError: There are such axes; names them.
    """
    free = [str(axis) for axis, size in enumerate(spec.shape) if size < 1]
    if not free:
        return
    shape = ",".join("?" if size < 1 else str(size) for size in spec.shape)
    axes = f"axis {free[0]}" if len(free) == 1 else f"the axes {', '.join(free[:-1])} and {free[-1]}"
    raise IncompatibleError(
        f"{name}: the file leaves {axes} of the input {spec.name!r} free, whose shape is [{shape.replace(',', ', ')}].",
        f"Say the shape to run: --shape {spec.name}={shape} with numbers for the '?'; in a rig file, "
        f"'shapes: {{{spec.name}: [{shape.replace(',', ', ')}]}}' of the model.",
    )
