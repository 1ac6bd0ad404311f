"""Values that are infinite or no numbers, which no scale fits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgerig import formats
from edgerig.artifact import Artifact
from edgerig.errors import CompileError, EdgerigError
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.types import Graph
from edgerig.text import one_line

#: Formats whose constants quantizers start from, as these lie in the file.
_READ = frozenset({"onnx", "tflite"})
#: Schemes with constants in integers.
INTEGER_SCHEMES = frozenset({"dynamic", "int8", "int16x8"})
#: Operators that take values from one operand or the other. JAX has embeddings take NaN for indices beyond the table.
_SELECTIONS = frozenset({"SELECT", "SELECT_V2", "Where"})


def check_finite(artifact: Artifact) -> None:
    """Refuse a network with a constant that is infinite or not a number, before anything is calibrated.

    A scale is the largest value over the largest integer: with an infinite one all the others become 0, without an
    error of the quantizers. Masks of attention are often written so.

    Raises:
        CompileError: Names the constant.
    """
    if artifact.format not in _READ:
        return
    path, format = Path(artifact.path), formats.named(artifact.format)
    try:
        weights = format.weights(path)
    except EdgerigError:
        # The compiler reads it by other means, or says why it cannot.
        return
    for index, values in weights.items():
        if values.dtype.kind != "f" or bool(np.isfinite(values).all()):
            continue
        graph = read_graph(path)
        if values.size == 1 and bool(np.isnan(values).all()) and _is_only_selected(graph, index):
            continue
        name = graph.tensors[index].name
        bad = values[~np.isfinite(values)]
        raise CompileError(
            f"{path.name} cannot be quantized: {bad.size:,} of {values.size:,} numbers of its constant "
            f"{one_line(name, 80)!r} are {'not a number' if np.isnan(bad).any() else 'infinite'}, which no scale fits.",
            "Put a finite number there, such as -100 in a mask; or did the training diverge?",
        )


def _is_only_selected(graph: Graph, tensor: int) -> bool:
    return all(operator.op in _SELECTIONS for operator in graph.operators if tensor in operator.inputs)


def check_ranges(ranges: Mapping[str, tuple[Any, Any]], file: str) -> None:
    """Refuse tensors that were not finite in calibration.

    Args:
        ranges: The least and the largest value of each tensor, by its name. file: The network's, for the message.

    Raises:
        CompileError: Names the first one.
    """
    for name, ends in ranges.items():
        if not all(np.isfinite(end).all() for end in ends):
            raise CompileError(
                f"{file} cannot be quantized: with the calibration samples the tensor {one_line(name, 80)!r} is "
                f"{'not a number' if any(np.isnan(end).any() for end in ends) else 'infinite'} in places, which no "
                "scale fits.",
                "Is it so with the float file, too? Does the dataset preprocess as the network was trained?",
            )
