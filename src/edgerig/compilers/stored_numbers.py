"""Integers and scales of constants in an unpacked TFLite file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def store_numbers(model: Any, index: int, numbers: NDArray[Any], scales: NDArray[Any], *, int4: bool) -> None:
    """Put ``numbers`` into the tensor ``index`` of ``model``, with a zero point of 0; ``int4``: two in a byte."""
    from ai_edge_litert import schema_py_generated as schema

    raw = np.ascontiguousarray(numbers).reshape(-1).view(np.uint8)
    if int4:
        pairs = np.pad(raw & 15, (0, raw.size % 2)).reshape(-1, 2)
        raw = (pairs[:, 0] | pairs[:, 1] << 4).astype(np.uint8)
    tensor = model.subgraphs[0].tensors[index]
    # What was equal may have been stored once for several tensors.
    if sum(other.buffer == tensor.buffer for graph in model.subgraphs for other in graph.tensors) > 1:
        model.buffers.append(schema.BufferT())
        tensor.buffer = len(model.buffers) - 1
    model.buffers[tensor.buffer].data = raw
    store_scales(tensor, scales, [0] * len(scales))


def store_scales(tensor: Any, scales: NDArray[Any] | Sequence[float], zeros: Sequence[int]) -> None:
    """Put scales and zero points into a tensor of an unpacked file."""
    quantization = tensor.quantization
    quantization.scale, quantization.zeroPoint = np.asarray(scales, np.float32), np.asarray(zeros, np.int64)
    quantization.min = quantization.max = None
