"""Values that are infinite or no numbers, which no scale fits.

Converters and frameworks write the largest float32 for infinity, which spoils a scale as much: it is called infinite
here, too. Where no scale is made of a constant, as of a bound, it may be what it likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerig import formats
from edgerig.artifact import Artifact
from edgerig.compilers.masks import masks_of
from edgerig.errors import CompileError, EdgerigError
from edgerig.measure.census import family
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.tflite_file import read_tflite_network
from edgerig.models.graph.types import Graph
from edgerig.text import one_line

#: Formats whose constants quantizers start from, as these lie in the file.
_READ = frozenset({"onnx", "tflite"})
#: Schemes with constants in integers.
INTEGER_SCHEMES = frozenset({"dynamic", "int8", "int16x8"})
#: Larger numbers stand for infinity: with a scale for them, all others would become 0.
LARGEST = 1e30
#: Operators that take values from one operand or the other. JAX has embeddings take NaN for indices beyond the table.
_SELECTIONS = frozenset({"SELECT", "SELECT_V2", "Where"})
#: Operators whose infinite constants spoil no scale: ONNX Runtime's quantizer makes none of bounds, and LiteRT's has
#: the result share that of the input, so that infinity becomes the least or largest integer. That is right for a bound
#: and for what pads a maximum; it is not for a mask before a softmax, as the least score would have a share, too.
_BOUNDED = frozenset({"PADV2", "MAXIMUM", "MINIMUM", "Clip", "Max", "Min"})
#: Operators with tables, which are quantized as weights are.
_TABLES = frozenset({"EMBEDDING_LOOKUP", "GATHER", "Gather"})
#: Compilers that make scales of weights and of ranges, which they bound themselves, and none of other constants: with
#: them a mask may be infinite.
_OF_WEIGHTS = frozenset({"dynamic", "openvino-int8"})
#: Compilers that make masks as small as they may be, see `edgerig.compilers.masks`.
_BOUNDS_MASKS = frozenset({"int8", "int16x8", "mixed", "qat-int8", "onnx-int8", "qat-onnx-int8"})


def check_finite(artifact: Artifact, scheme: str, compiler: str) -> None:
    """Refuse a network with a constant that is infinite or not a number, before anything is calibrated.

    A scale is the largest value over the largest integer: with an infinite one all the others become 0, without an
    error of the quantizers. Masks that are added in attention are often written so.

    Args:
        artifact: The network; where it is in a format that is converted first, see `finite_tflite`.
        scheme: That which is asked for. compiler: The name of what makes it.

    Raises:
        CompileError: Names the constant.
    """
    if artifact.format not in _READ or scheme not in INTEGER_SCHEMES:
        return
    path, format = Path(artifact.path), formats.named(artifact.format)
    try:
        weights = format.weights(path)
    except EdgerigError:
        # The compiler reads it by other means, or says why it cannot.
        return
    if any(not _is_finite(values) for values in weights.values()):
        _check(read_graph(path), weights, compiler, path.name)


def finite_tflite(data: bytes, artifact: Artifact, scheme: str | None, compiler: str) -> bytes:
    """``data``, the float TFLite that a network of another format was converted to, checked as `check_finite` does.

    Raises:
        CompileError: Names the constant.
    """
    if artifact.format not in _READ and scheme in INTEGER_SCHEMES:
        file = Path(artifact.path).name
        _check(*read_tflite_network(data, file), compiler, file)
    return data


def _check(graph: Graph, weights: Mapping[int, NDArray[Any]], compiler: str, file: str) -> None:
    masks = masks_of(graph, weights).constants if compiler in _BOUNDS_MASKS else frozenset()
    for index, values in weights.items():
        if _is_finite(values) or index in masks or _makes_no_scale(graph, index, values, compiler):
            continue
        bad = values[~_within(values)]
        raise CompileError(
            f"{file} cannot be quantized: {bad.size:,} of {values.size:,} numbers of its constant "
            f"{one_line(graph.tensors[index].name, 80)!r} are {_what(bad)}, which no scale fits.",
            "Put a finite number there, such as -100 in a mask; or did the training diverge?",
        )


def _makes_no_scale(graph: Graph, tensor: int, values: NDArray[Any], compiler: str) -> bool:
    users = [operator.op for operator in graph.operators if tensor in operator.inputs]
    if np.isnan(values).any():
        return values.size == 1 and _SELECTIONS.issuperset(users)
    if compiler in _OF_WEIGHTS:
        # What is added, as a bias of one axis, stays in float.
        return values.ndim < 2 or all(family(op) is None and op not in _TABLES for op in users)
    return _BOUNDED.issuperset(users)


def _is_finite(values: NDArray[Any]) -> bool:
    return values.dtype.kind != "f" or bool(_within(values).all())


def _within(values: NDArray[Any]) -> NDArray[np.bool_]:
    # NaN is not; and no half holds the limit.
    wide = values.astype(np.float32) if values.dtype.itemsize < 4 else values
    return np.asarray(np.abs(wide) <= LARGEST)


def _what(bad: Any) -> str:
    """What numbers that are not `_within` are."""
    if np.isnan(bad).any():
        return "not a number"
    return "infinite" if np.isinf(bad).any() else f"as good as infinite ({np.ravel(bad)[0]:.2g})"


def check_ranges(ranges: Mapping[str, tuple[Any, Any]], file: str) -> None:
    """Refuse tensors that were not finite in calibration.

    Args:
        ranges: The least and the largest value of each tensor, by its name. file: The network's, for the message.

    Raises:
        CompileError: Names the first one.
    """
    for name, ends in ranges.items():
        values = np.concatenate([np.ravel(np.asarray(end, np.float64)) for end in ends])
        if not _within(values).all():
            raise CompileError(
                f"{file} cannot be quantized: with the calibration samples the tensor {one_line(name, 80)!r} is "
                f"{_what(values[~_within(values)])} in places, which no scale fits.",
                "Is it so with the float file, too? Does the dataset preprocess as the network was trained? In a mask "
                "or a padding put a finite number, such as -100.",
            )
