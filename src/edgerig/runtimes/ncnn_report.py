"""What ncnn tells of a network by giving what each layer computes: times of layers, and the type of their tensors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgerig.errors import InferenceError
from edgerig.measure.census import Census, Request, grouped
from edgerig.measure.kinds import Measurement
from edgerig.measure.profile import LayerTime
from edgerig.models.graph.ncnn_file import Layer

#: Layers that give what they are given.
_NO_WORK = frozenset({"Input", "Split"})
#: As ncnn keeps it, without conversion to float32.
_RAW = 1
TRIM = 0.05
METHOD = (
    "outputs of the layers extracted one after another, which runs one layer each; mean without the 5 % shortest and "
    "longest"
)
CENSUS_METHOD = "bits of what each layer gives, extracted without conversion; int8 by the layer's own parameter"


def layers_of(
    layers: Sequence[Layer], open_sample: Callable[[Sequence[Any]], tuple[Any, list[Any]]], samples: Sequence[Any]
) -> list[LayerTime]:
    """The layers that do work, with the mean of their times; the first of the samples is run and not counted.

    Args:
        layers: In order. open_sample: A sample to an extractor that keeps all, and the arrays that it reads.
    """
    layers = [layer for layer in layers if layer.gives]
    seconds = np.empty((len(samples), len(layers)))
    shapes: list[tuple[int, ...]] = []
    clock = time.perf_counter_ns
    for row, sample in enumerate(samples):
        extractor, arrays = open_sample(sample)
        shapes = []
        for column, layer in enumerate(layers):
            start = clock()
            failed, array = extractor.extract(layer.gives[0], _RAW)
            seconds[row, column] = (clock() - start) * 1e-9
            shapes.append(_shape(failed, array, layer))
        del extractor, arrays
    ordered = np.sort(seconds[1:], axis=0)
    cut = int(len(ordered) * TRIM)
    means = ordered[cut : len(ordered) - cut].mean(axis=0)
    working = [index for index, layer in enumerate(layers) if layer.kind not in _NO_WORK]
    return [
        LayerTime(
            index=number,
            name=layers[index].name,
            op=layers[index].kind,
            time=_time(float(means[index]), len(ordered)),
            output_shape=shapes[index],
        )
        for number, index in enumerate(working)
    ]


def census_of(layers: Sequence[Layer], extractor: Any, asked: str, requested: tuple[Request, ...]) -> Census:
    """What each layer gives, in which type: of 16 bits it is what was ``asked`` for, since ncnn tells only the bits."""
    operators = []
    for layer in layers:
        if layer.kind in _NO_WORK or not layer.gives:
            continue
        failed, array = extractor.extract(layer.gives[0], _RAW)
        if failed:
            raise InferenceError(f"ncnn could not compute the layer {layer.name!r}: its answer is {failed}.")
        kinds = {8: "int8", 16: asked if asked != "float32" else "float16", 32: "float32"}
        operators.append((layer.kind, "CPU", "int8" if layer.is_int8 else kinds.get(array.elembits(), "")))
    return Census(operators=grouped(operators), method=CENSUS_METHOD, requested=requested)


def _shape(failed: int, array: Any, layer: Layer) -> tuple[int, ...]:
    """The shape of ncnn's array, unpacked: channels first, without the batch axis where ncnn has none."""
    if failed:
        raise InferenceError(f"ncnn could not compute the layer {layer.name!r}: its answer is {failed}.")
    sizes = [array.c, array.d, array.h, array.w] if array.dims == 4 else [array.c, array.h, array.w][-array.dims :]
    # Several elements of the outermost axis lie together in a pack.
    return (int(sizes[0]) * int(array.elempack), *(int(size) for size in sizes[1:]))


def _time(seconds: float, count: int) -> Measurement:
    return Measurement(value=seconds, unit="s", kind="measured", method=METHOD, clock="perf_counter_ns", n=count)
