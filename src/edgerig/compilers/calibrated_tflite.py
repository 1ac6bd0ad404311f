"""The ranges of a float TFLite network over the calibration samples, with its masks no larger than need be."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig.compilers import flatbuffer
from edgerig.compilers.finite_weights import check_ranges
from edgerig.compilers.masks import DEPTH, STEPS, bounds, check_lost, limited, masks_of
from edgerig.models.graph.tflite_file import read_tflite_network

Ranges = dict[str, Any]
Recipe = list[dict[str, Any]]


def calibrated(
    data: bytes,
    recipe: Recipe,
    samples: Mapping[str, NDArray[Any]],
    scheme: str,
    file: str,
    advance: Callable[[], Any] = lambda: None,
) -> tuple[bytes, Ranges]:
    """The network, its masks changed to finite numbers that do the same (see `edgerig.compilers.masks`), and ranges.

    Args:
        data, recipe, samples, advance: As `calibrate` takes them, tensors of different names.
        scheme: ``int8`` or ``int16x8``.
        file: The name of the user's file, for messages.

    Raises:
        CompileError: A tensor is not finite, or would be lost in the scale of another one.
    """
    graph, constants = read_tflite_network(data, file)
    masks, names = masks_of(graph, constants), [tensor.name for tensor in graph.tensors]
    floors: Mapping[int, float] = {}
    if masks.constants:
        stand_in = _with(data, masks.stand_ins(constants))
        before = _ends(calibrate(stand_in, recipe, samples))
        if all(names[index] in before for index in masks.scores):
            needed = bounds(masks, {index: before[names[index]] for index in masks.scores}, DEPTH[scheme])
            floors = needed.floors
            data = _with(data, {c: limited(constants[c], size) for c, size in needed.magnitudes.items()})
    ranges = calibrate(data, recipe, samples, advance)
    for index, floor in floors.items():
        if names[index] in ranges:
            ranges[names[index]]["min"] = np.maximum(ranges[names[index]]["min"], np.float32(floor))
    check_ranges({name: (ends["min"], ends["max"]) for name, ends in ranges.items() if _measured(ends)}, file)
    check_lost(graph, _ends(ranges), STEPS[scheme], file)
    return data, ranges


def _measured(ends: Any) -> bool:
    return bool(ends) and "min" in ends and "max" in ends


def _ends(ranges: Ranges) -> dict[str, tuple[float, float]]:
    return {
        name: (float(np.min(ends["min"])), float(np.max(ends["max"])))
        for name, ends in ranges.items()
        if _measured(ends)
    }


def _with(data: bytes, constants: Mapping[int, NDArray[Any]]) -> bytes:
    """A TFLite file with other numbers in some constants of its main graph."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.unpack(data)
    for index, values in constants.items():
        # What was equal may have been stored once for several tensors.
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        model.buffers.append(buffer)
        model.subgraphs[0].tensors[index].buffer = len(model.buffers) - 1
    return flatbuffer.pack(model)


def calibrate(
    data: bytes, recipe: Recipe, samples: Mapping[str, NDArray[Any]], advance: Any = lambda: None
) -> dict[str, Any]:
    """The minimum and maximum of each tensor over all samples.

    The library's default is a moving average over samples, whose error was five times larger on small networks.

    Args:
        data: Float TFLite with the signature ``serving_default``.
        recipe: A recipe of litert_quantizer.
        samples: For each input, by its name in the signature, an array (n, *input shape) in its dtype.
        advance: Called after each sample.
    """
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import progress_utils, qsv_utils

    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(recipe)
    # The library looks up the rules of each operator anew for each sample, which takes a third of all.
    manager.get_quantization_configs = functools.cache(manager.get_quantization_configs)
    with no_memory_warning():
        calibration = calibrator.Calibrator(data, num_threads=1, qsv_update_func=qsv_utils.min_max_update)
        silent = progress_utils.ProgressBar(0, enable=False)
        for sample in zip(*samples.values(), strict=True):
            inputs = dict(zip(samples, sample, strict=True))
            calibration._calibrate_step(flatbuffer.SIGNATURE, inputs, manager, False, silent)
            advance()
    ranges: dict[str, Any] = calibration.get_model_qsvs()
    return ranges


@contextlib.contextmanager
def no_memory_warning() -> Iterator[None]:
    """Silences the library's warning, at each call, that keeping all tensors of an interpreter takes memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
