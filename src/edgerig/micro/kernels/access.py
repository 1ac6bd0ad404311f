"""In which order a kernel reads an input and writes an output: how far the one may lie over the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgerig.micro.ir import Conv2D, DepthwiseConv2D, MaxPool2D, Pool2D, Value

#: Of a step that reads nothing: beyond the end of any input.
NOTHING = 1 << 40
Offsets = NDArray[np.int64]
Windowed = Conv2D | DepthwiseConv2D | Pool2D


@dataclass(frozen=True)
class Lead:
    """How far an output may lie over an input: all that the planner needs of an `Access`, without its steps."""

    output: Value
    source: Value
    lead: int
    backward: bool = False


@dataclass(frozen=True)
class Access:
    """The order of one layer's accesses, in steps: all that a step reads is read before it writes anything.

    Attributes:
        output: What is written.
        source: The input that is read; the kernel reads it by this access alone.
        reads: Offset of the lowest byte of ``source`` that each step reads, `NOTHING` if it reads none.
        writes: Offset behind the highest byte of ``output`` that each step writes.
        mixed: Within a step reads and writes take turns.
        backward: From the end to the beginning; ``reads`` are then behind the highest byte of ``source``, ``writes``
            the lowest bytes of ``output``.
    """

    output: Value
    source: Value
    reads: Offsets
    writes: Offsets
    mixed: bool = False
    backward: bool = False

    @property
    def lead(self) -> int:
        """Bytes by which the output must begin before the input, at least; negative where it may begin within it.

        What is written until the end of a step then lies below everything that later steps read. Where nothing is read
        once something was written, the output may lie anywhere. Backward it is the input that must begin before the
        output, since what is written lies above.
        """
        if self.backward:
            return self._lead_backward()
        written = np.maximum.accumulate(self.writes)
        needed = np.minimum.accumulate(self.reads[::-1])[::-1]
        if not self.mixed:
            written, needed = written[:-1], needed[1:]
        leads = (written - needed)[needed < NOTHING]
        return int(leads.max()) if leads.size else -self.source.nbytes

    def summary(self) -> Lead:
        """Without the steps, which are as many as there are pixels."""
        return Lead(self.output, self.source, self.lead, self.backward)

    def _lead_backward(self) -> int:
        written = np.minimum.accumulate(self.writes)
        needed = np.maximum.accumulate(self.reads[::-1])[::-1]
        if not self.mixed:
            written, needed = written[:-1], needed[1:]
        leads = needed - written
        return int(leads.max()) if leads.size else -self.output.nbytes


def window_begins(node: Windowed) -> Offsets:
    """Lowest byte of the input that each output pixel's window sees, (height, width) of the output."""
    pixel = node.input.shape[3] * itemsize(node.input)
    return row_begins(node)[:, None] + _begins(node, 1)[None, :] * pixel


def window_ends(node: DepthwiseConv2D) -> Offsets:
    """Behind the highest byte of the input that each output pixel's window sees, (height, width) of the output."""
    _, _, width, channels = node.input.shape
    rows, columns = _ends(node, 0), _ends(node, 1)
    pixels: Offsets = np.clip((rows - 1)[:, None] * width + columns[None, :], 0, None)
    return pixels * (channels * itemsize(node.input))


def row_begins(node: Windowed) -> Offsets:
    """Lowest byte of the input that each output row's windows may see, padding as wide as the image left out."""
    _, _, width, channels = node.input.shape
    return _begins(node, 0) * (width * channels * itemsize(node.input))


def pooled_begins(conv: Conv2D, pool: MaxPool2D) -> Offsets:
    """Lowest byte of the convolution's input that each pixel of the pooling behind it sees; the pooling has no
    padding."""
    _, height, width, _ = pool.output.shape
    return window_begins(conv)[:: pool.stride[0], :: pool.stride[1]][:height, :width]


def _begins(node: Windowed, axis: int) -> Offsets:
    before = (node.padding.top, node.padding.left)[axis]
    count = node.output.shape[1 + axis]
    return np.clip(np.arange(count, dtype=np.int64) * node.stride[axis] - before, 0, None)


def _ends(node: DepthwiseConv2D, axis: int) -> Offsets:
    before = (node.padding.top, node.padding.left)[axis]
    reach = (node.kernel[axis] - 1) * node.dilation[axis] + 1
    count = node.output.shape[1 + axis]
    return np.clip(np.arange(count, dtype=np.int64) * node.stride[axis] - before + reach, 0, node.input.shape[1 + axis])


def itemsize(value: Value) -> int:
    """Bytes of an element."""
    return value.nbytes // value.elements


def by_pixels(output: Value, source: Value, begins: Offsets, tile: int = 1, mixed: bool = False) -> Access:
    """Tiles of ``tile`` output pixels in order; the last one overlaps the one before it, or is smaller."""
    first = np.arange(0, begins.size, tile)
    first[-1] = max(min(first[-1], begins.size - tile), 0)
    return by_runs(output, source, begins, list(first), mixed, tile)


def by_runs(
    output: Value, source: Value, begins: Offsets, first: Sequence[int], mixed: bool = False, most: int = 0
) -> Access:
    """Runs of output pixels: the windows of one are read, then all their channels are written.

    Args:
        output: Pixel by pixel.
        source: Likewise.
        begins: Lowest byte of each pixel's windows.
        first: First pixel of each run.
        mixed: Reading and writing take turns.
        most: Pixels of a run; up to the next one by default.
    """
    lowest = begins.reshape(-1)
    ends = [start + most for start in first] if most else [*first[1:], lowest.size]
    reads = [int(lowest[start:end].min()) for start, end in zip(first, ends, strict=True)]
    pixel = output.shape[-1] * itemsize(output)
    return Access(output, source, np.array(reads), np.minimum(ends, lowest.size) * pixel, mixed)


def by_groups(output: Value, source: Value, begins: Offsets, group: int) -> Access:
    """Output pixels in order, of each so many channels after the others, which read these channels alone."""
    channels, size = output.shape[-1], itemsize(output)
    low = np.arange(0, channels, group)
    reads = begins.reshape(-1, 1) + low * itemsize(source)
    ends = np.arange(begins.size)[:, None] * channels + np.minimum(low + group, channels)
    return Access(output, source, reads.reshape(-1), ends.reshape(-1) * size)


def by_channels(output: Value, source: Value, begins: Offsets, first: Sequence[int]) -> Access:
    """Runs of output pixels, of each one channel after the other: read in all windows of the run, then written.

    Several channels may be read and written together, pixel after pixel, which needs no greater lead.

    Args:
        output: As many channels as ``source`` has.
        source: Read where its windows begin, and behind.
        begins: Lowest byte of each pixel's windows.
        first: First pixel of each run.
    """
    lowest, channels = begins.reshape(-1), np.arange(output.shape[-1])
    ends = np.array([*first[1:], lowest.size])
    reads = np.minimum.reduceat(lowest, first)[:, None] + channels * itemsize(source)
    writes = ((ends - 1)[:, None] * channels.size + channels + 1) * itemsize(output)
    return Access(output, source, reads.reshape(-1), writes.reshape(-1))


def by_channels_backward(output: Value, source: Value, ends: Offsets, first: Sequence[int]) -> Access:
    """The runs of `by_channels` from the last one to the first; ``ends``: behind the highest byte of each pixel's
    windows."""
    highest, channels = ends.reshape(-1), np.arange(output.shape[-1])
    beyond = np.maximum.reduceat(highest, first)[::-1, None]
    reads = beyond + (channels + 1 - channels.size) * itemsize(source)
    writes = (np.array(first)[::-1, None] * channels.size + channels) * itemsize(output)
    return Access(output, source, reads.reshape(-1), writes.reshape(-1), backward=True)


def by_pixels_backward(output: Value, source: Value, ends: Offsets) -> Access:
    """Output pixels from the last one to the first; reading and writing take turns within each."""
    pixels = np.arange(ends.size)[::-1]
    writes = pixels * (output.shape[-1] * itemsize(output))
    return Access(output, source, ends.reshape(-1)[::-1], writes, mixed=True, backward=True)
