"""From a frame to a network's input, by the datasets' preprocessing: what is served is what was tested."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Fit, Preprocessing
from edgerig.datasets.fitting import IMAGE_AXES, fit, likely_layout
from edgerig.datasets.placement import Placement, place, placement_of
from edgerig.datasets.preprocess import affine, normalized
from edgerig.errors import IncompatibleError
from edgerig.serve.video.frame import Pixels
from edgerig.serve.video.shrink import factor, shrink
from edgerig.tensors import Layout, TensorSpec

#: Channels of a frame as a network may take it: grey, or RGB.
GREY, RGB = 1, 3
#: Pixels from 0 to 1 and from -1 to 1.
UNIT, SIGNED = Preprocessing(scale=1 / 255), Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,))
#: Real value of an integer input's largest number from which it takes pixels of 0 to 255 as they are; and of its
#: smallest number below which it takes them from -1 to 1.
LARGE, NEGATIVE = 2.0, -0.4


class FrameInput:
    """Makes the input of a network from frames.

    Args:
        inputs: The network's inputs; it must have one, an image.
        preprocessing: The network's, as its description has it; `Preprocessing()` where that says nothing.
        layout: Order of the input's axes, where its shape does not tell.
        fitting: How a frame of another aspect ratio comes to the input's size, where ``preprocessing`` does not tell.

    Attributes:
        preprocessing: What is done to a frame, its size included.
        channels: 1 or 3.
        told: What is done, and who says so, in a sentence.

    Raises:
        IncompatibleError: The network takes no image.
    """

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        preprocessing: Preprocessing,
        layout: Layout | None = None,
        fitting: Fit = "stretch",
    ) -> None:
        if len(inputs) != 1:
            raise IncompatibleError(
                f"The network takes {len(inputs)} inputs ({', '.join(spec.name for spec in inputs)}); a frame is one.",
                "Serve it without --video.",
            )
        declared = inputs[0].layout if layout is None else layout
        self.spec = msgspec.structs.replace(inputs[0], layout=declared)
        height, width, self.channels = image_shape(self.spec)
        known = preprocessing != Preprocessing()
        if not known:
            preprocessing = likely_range(self.spec)
        sized = preprocessing.resize is not None
        if not sized:
            preprocessing = msgspec.structs.replace(preprocessing, resize=(height, width), fit=fitting)
        elif preprocessing.resize != (height, width):
            raise IncompatibleError(
                f"The network's description resizes to {preprocessing.resize}, and its input is {height}x{width}.",
                "Is it the description of another file? Remove it from beside the network, or compile that again.",
            )
        self.preprocessing = preprocessing
        self.told = self._sentence(known, sized)
        self._at: dict[tuple[int, ...], Placement] = {}
        # What cannot fit is told now, and not with each frame.
        self(np.zeros((height, width, RGB), np.uint8))

    def placement(self, height: int, width: int) -> Placement:
        """Where a frame of ``height`` by ``width`` pixels lies in the input."""
        size = (height, width)
        if size not in self._at:
            self._at[size] = placement_of(self.preprocessing, height, width)
        return self._at[size]

    def __call__(self, pixels: Pixels) -> dict[str, NDArray[np.float32]]:
        """The input for a frame, (height, width, 3): by its name, real numbers of shape (1, ...)."""
        at = self.placement(*pixels.shape[:2])
        image = place(resized(pixels, (at.height, at.width), self.channels), at, self.preprocessing.fill)
        return {self.spec.name: fit(normalized(image[None], self.preprocessing), self.spec, "video")}

    def _sentence(self, known: bool, sized: bool) -> str:
        done = self.preprocessing
        assert done.resize is not None
        colour = "grey" if self.channels == GREY else "RGB"
        values = _formula(done)
        if done.standardize:
            values += ", each frame standardized"
        who = "the network's description says" if known else "its input's range suggests, for it has no description"
        whose = "also from there" if sized else "--video-fit"
        return (
            f"Frames become {done.resize[0]}x{done.resize[1]} {colour} by {done.fit} ({whose}), {values}, as {who}; "
            f"preprocessing {done.hash}."
        )


def _formula(done: Preprocessing) -> str:
    """What becomes of a pixel's value, 0 to 255.

    >>> _formula(Preprocessing(scale=1 / 255)), _formula(Preprocessing())
    ('pixel / 255', 'pixel')
    >>> _formula(Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.25,)))
    '(pixel / 255 - 0.5) / 0.25'
    """
    text = "pixel" if done.scale == 1 else f"pixel * {done.scale:.6g}"
    if 0 < done.scale < 1:
        text = f"pixel / {1 / done.scale:.6g}"
    mean, std = _by_channel(done.mean), _by_channel(done.std)
    text = text if mean == "0" else f"({text} - {mean})"
    return text if std == "1" else f"{text} / {std}"


def _by_channel(values: Sequence[float]) -> str:
    """One number where it is that of all channels."""
    texts = [f"{value:.6g}" for value in values]
    return texts[0] if len({*texts}) == 1 else f"({', '.join(texts)})"


def image_shape(spec: TensorSpec) -> tuple[int, int, int]:
    """Height, width and channels of the image that an input takes; a flat one takes a square.

    Raises:
        IncompatibleError: It is no image of 1 or 3 channels, or takes several at once, or its layout is not known.
    """
    shape = spec.shape[1:]
    what = f"The input {spec.name!r} takes {list(spec.shape)}"
    if spec.batch != 1 or min(shape, default=0) < 1:
        raise IncompatibleError(f"{what}; a frame is one sample, of a known size.", "Export it with a batch of 1.")
    if len(shape) == 1:
        for channels in (GREY, RGB):
            side = math.isqrt(shape[0] // channels)
            if side * side * channels == shape[0]:
                return side, side, channels
    if len(shape) == IMAGE_AXES - 1:
        return shape[0], shape[1], GREY
    if len(shape) == IMAGE_AXES:
        layout = spec.layout if isinstance(spec.layout, str) else likely_layout(spec.shape)
        height, width, channels = (*shape[1:], shape[0]) if layout == "nchw" else shape
        if channels in (GREY, RGB):
            return height, width, channels
    raise IncompatibleError(
        f"{what}, which is no image in grey or RGB.", "Serve it without --video, or say its --layout."
    )


def likely_range(spec: TensorSpec) -> Preprocessing:
    """The preprocessing that an integer input's range of real numbers suggests; for floats, pixels from 0 to 1."""
    dtype = np.dtype(spec.dtype)
    if dtype.kind not in "iu":
        return UNIT
    if spec.quantization is None:
        return Preprocessing()
    scale, zero_point = affine(spec, len(spec.shape), np.float64)
    limits = np.iinfo(dtype)
    low, high = float(np.min(scale * (limits.min - zero_point))), float(np.max(scale * (limits.max - zero_point)))
    if high > LARGE:
        return Preprocessing()
    return SIGNED if low < NEGATIVE else UNIT


def resized(pixels: Pixels, size: tuple[int, int], channels: int) -> NDArray[np.float32]:
    """A frame, (height, width, 3), resized, and in grey for one channel.

    Equal to `edgerig.datasets.preprocess.resize` of what `edgerig.datasets.images.read_image` reads, up to the rounding
    of float32 sums: by integers where the frame is made smaller by whole factors; else that one's filter is Pillow's,
    whose C code is several times as fast as matrices of weights.

    Returns:
        Shape (*size, channels), float32.
    """
    from PIL import Image

    if channels != GREY and pixels.shape[:2] == size:
        return pixels.astype(np.float32)
    height, width = size
    rows, columns = factor(pixels.shape[0], height), factor(pixels.shape[1], width)
    if channels == GREY:
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    if rows is not None and columns is not None:
        return shrink(pixels, rows, columns)
    planes = Image.fromarray(pixels).split() if channels != GREY else (Image.fromarray(pixels[:, :, 0]),)
    scaled = [np.asarray(plane.convert("F").resize((width, height), Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(scaled, axis=-1)
