"""The tensors between a cell's layers, read on its device: its network is sent there with them as further outputs.

That needs nothing of the device that it does not do anyway: it loads a file and runs samples.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.layer_errors.tapped import compared_tensors, nbytes, tapped_file
from edgerig.datasets.batches import rows
from edgerig.datasets.network_inputs import inputs_of
from edgerig.errors import EdgerigError, InferenceError, Interrupted
from edgerig.measure.kinds import Unavailable
from edgerig.models.files import open_artifact
from edgerig.models.graph.types import Graph, Tensor
from edgerig.progress import Progress
from edgerig.results.types import CellResult
from edgerig.targets.base import Session, Target
from edgerig.text import cause_of

Array = NDArray[Any]
#: Engines that give any tensor that a file names as an output.
RUNTIMES = frozenset({"litert", "onnxruntime"})
#: Bytes of outputs of one request, and of one inference of a file: more tensors are read by several files.
REQUEST_BYTES = 32 << 20
#: Bytes that are held of all samples; there are fewer samples where that is too little.
TOTAL_BYTES = 128 << 20
#: Fewest samples worth the name, and most files that are sent.
FEWEST_SAMPLES, MOST_FILES = 4, 8


class DeviceTensors(msgspec.Struct, frozen=True):
    """Values of tensors by their index in the file, shape (samples, *shape), in the tensor's dtype."""

    values: dict[int, Array]
    samples: int


def device_tensors(
    cell: CellResult,
    data: bytes,
    graph: Graph,
    wanted: Sequence[int],
    inputs: Sequence[Array],
    target: Target,
    progress: Progress,
    seconds: float = math.inf,
) -> DeviceTensors | Unavailable:
    """The ``wanted`` tensors and the outputs of a cell's network on ``target``, or why they are not to be had there.

    Args:
        data: The cell's file. graph: as read from it. wanted: Indices of tensors, none of them an output.
        inputs: What the network takes, shape (n, ...), in its dtypes.
        seconds: Time after which no further request is made.

    Raises:
        Interrupted: Ctrl-C.
    """
    if (why := _why_not(cell, target)) is not None:
        return Unavailable(why)
    each = nbytes(graph, [*wanted, *graph.outputs])
    count = min(len(inputs[0]), TOTAL_BYTES // max(each, 1))
    parts = _parts(graph, wanted)
    if count < min(FEWEST_SAMPLES, len(inputs[0])) or len(parts) > MOST_FILES:
        return Unavailable(f"its tensors take {each / 1e6:.0f} MB an inference, which is too much to be sent")
    values, deadline = dict[int, Array](), time.monotonic() + seconds
    try:
        with (
            progress.task(f"read the tensors of {cell.id} on its device", len(parts) * count) as task,
            tempfile.TemporaryDirectory(prefix="edgerig-tensors-") as folder,
        ):
            for number, part in enumerate(parts):
                path = Path(folder) / f"{number}{Path(cell.artifact.path).suffix}"
                path.write_bytes(_file(data, graph, part))
                with target.open(open_artifact(path), cell.runtime, cell.options) as session:
                    tensors = [*graph.outputs, *part]
                    values |= _read(session, graph, tensors, [array[:count] for array in inputs], deadline)
                task.advance(count)
    except Interrupted:
        raise
    except EdgerigError as error:
        return Unavailable(error.message.rstrip("."))
    return DeviceTensors(values, count)


def wanted_tensors(graph: Graph, reference: Graph, names: Sequence[str]) -> list[int]:
    """The tensors whose values tell the errors of the layers of ``graph`` against ``reference``."""
    from edgerig.compilers.layer_errors import layer_groups

    return compared_tensors(graph, reference, layer_groups(graph, names))


def _why_not(cell: CellResult, target: Target) -> str | None:
    """Why tensors cannot be read on the device, as far as that is known without asking it."""
    if cell.runtime not in RUNTIMES:
        return f"runtime {cell.runtime} gives no tensors between layers"
    if target.kind != "measured" or target.exact:
        return "its device is emulated"
    if cell.artifact.state:
        return "it keeps state between inferences"
    if cell.batch != inputs_of(cell.artifact).batch:
        return f"it ran {cell.batch} samples an inference, which is not the batch of its file"
    return None


def _parts(graph: Graph, wanted: Sequence[int]) -> list[list[int]]:
    """The tensors of each file, in order, so that an inference of it answers no more than fits into a request."""
    room = REQUEST_BYTES - nbytes(graph, graph.outputs)
    parts: list[list[int]] = [[]]
    for index in wanted:
        if parts[-1] and nbytes(graph, [*parts[-1], index]) > room:
            parts.append([])
        parts[-1].append(index)
    return parts


def _file(data: bytes, graph: Graph, part: Sequence[int]) -> bytes:
    try:
        return tapped_file(data, graph, part)
    except Exception as error:  # libraries refuse a network with errors of many classes
        raise InferenceError(f"its tensors cannot be made outputs: {cause_of(error, 200)}") from error


def _read(
    session: Session, graph: Graph, tensors: Sequence[int], inputs: Sequence[Array], deadline: float
) -> dict[int, Array]:
    """The ``tensors`` of all inferences of ``inputs``, in requests of bounded size."""
    specs = session.load_report.outputs
    names, known = [spec.name for spec in specs], [graph.tensors[index].name for index in tensors]
    if names != known:
        raise InferenceError("the device tells other outputs than those of the file that it was sent")
    step, pieces = max(1, REQUEST_BYTES // max(nbytes(graph, tensors), 1)), list[tuple[Array, ...]]()
    for first in range(0, len(inputs[0]), step):
        if time.monotonic() > deadline:
            raise InferenceError("there was no time to read all of its tensors")
        pieces.append(session.run(rows(inputs, first, step)).outputs)
    joined = [np.concatenate(arrays) for arrays in zip(*pieces, strict=True)]
    return {
        index: _shaped(array, graph.tensors[index], len(inputs[0]))
        for index, array in zip(tensors, joined, strict=True)
    }


def _shaped(array: Array, tensor: Tensor, count: int) -> Array:
    """The values of ``count`` inferences in the tensor's shape; answers leave an axis of one sample out.

    Raises:
        InferenceError: They are other values than the file's.
    """
    if array.size != count * math.prod(tensor.shape) or array.dtype != np.dtype(tensor.dtype):
        raise InferenceError(f"the device gives {tensor.name!r} in another shape or type")
    return array.reshape(count, *tensor.shape)
