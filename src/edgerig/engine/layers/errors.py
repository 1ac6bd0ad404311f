"""The errors of a cell's layers against the float network, on some of the run's samples; kept in the bundle."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.bounded import isolated
from edgerig.compilers.layer_errors import NetworkFile, layer_errors, layer_groups
from edgerig.compilers.layer_errors.measure import LayerResults
from edgerig.datasets.base import Dataset
from edgerig.datasets.batches import in_calls
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.samples import EvaluationSamples
from edgerig.errors import EdgerigError, InferenceError, Interrupted, StorageError
from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_error import LayerErrors
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.layers.layer_map import LayerMap, read_layer_map
from edgerig.results.layers.stored_errors import read_layer_errors, write_layer_errors
from edgerig.results.types import CellResult

#: Test samples on which the errors are measured: each has thousands of values a layer.
SAMPLES = 32
#: Runtimes whose results LiteRT's reference kernels define for int8 networks.
EXACT_RUNTIMES = frozenset({"micro", "tflm"})


class Selection(msgspec.Struct, frozen=True):
    """A cell of a bundle."""

    bundle: Path
    cell: CellResult


def cell_errors(
    selection: Selection, layer_map: LayerMap, progress: Progress, seconds: float = math.inf
) -> LayerErrors | Unavailable:
    """The errors of a cell's layers: out of the bundle, or measured and then kept there; or why there are none.

    Args:
        seconds: Time of measuring after which no further sample is begun.

    Raises:
        Interrupted: Ctrl-C.
    """
    stored = stored_errors(selection, layer_map)
    # What a run measured in little time is measured anew where there is more.
    if stored is not None and (seconds < math.inf or stored.samples >= min(SAMPLES, selection.cell.measured_samples)):
        return stored
    reference = _reference(selection)
    if isinstance(reference, Unavailable):
        return reference
    try:
        names = [layer.name for layer in layer_map.source.layers] if layer_map.source is not None else []
        measured = _measured(selection, reference, names, progress, seconds)
    except Interrupted:
        raise
    except EdgerigError as error:
        return Unavailable(error.message)
    write_layer_errors(selection.bundle, selection.cell, measured)
    return measured


def stored_errors(selection: Selection, layer_map: LayerMap) -> LayerErrors | None:
    """The errors that the bundle holds; None where there are none, or others than those of the layers of the file."""
    stored = read_layer_errors(selection.bundle, selection.cell)
    operators = {operator.index for operator in layer_map.operators}
    if stored is None or any(index not in operators for layer in stored.layers for index in layer.operators):
        return None
    names = {operator.index: (operator.layer or operator.scope).label for operator in layer_map.operators}
    return stored if all(names[index] == layer.name for layer in stored.layers for index in layer.operators) else None


def _reference(selection: Selection) -> Artifact | Unavailable:
    """The float network of the same format, in the bundle, that the cell's was made from: the nearest before it."""
    artifact = selection.cell.artifact
    parents = [origin.parent for origin in artifact.origins if origin.parent is not None]
    if artifact.scheme == "float32":
        return Unavailable("it is a float network itself")
    descriptions = sorted(Bundle(selection.bundle).artifacts.glob("*.json"))
    candidates = {}
    for path in descriptions:
        other = Artifact.load(path)
        if other.scheme == "float32" and other.format == artifact.format and Path(other.path).is_file():
            candidates[other.sha256] = other
    for parent in reversed(parents):
        if parent in candidates:
            candidates[parent].read()
            return candidates[parent]
    return Unavailable(
        f"the bundle does not hold the float {artifact.format} network that it was made from: run that variant, too"
    )


def _measured(
    selection: Selection, reference: Artifact, names: Sequence[str], progress: Progress, seconds: float
) -> LayerErrors:
    cell, bundle = selection.cell, Bundle(selection.bundle)
    samples = cell_samples(bundle, cell, progress)
    part, positions = samples.part(SAMPLES)
    if part.windows is not None:
        raise InferenceError("The errors of layers are measured of samples that are not cut into windows.")
    batch = inputs_of(cell.artifact).batch
    inputs = part.first(cell.artifact, SAMPLES)
    calls = [array[:, None] if batch == 1 else in_calls(array, batch) for array in inputs]
    exact = cell.runtime in EXACT_RUNTIMES and cell.artifact.scheme == "int8"
    results = isolated(
        f"Running the layers of {cell.id}",
        InferenceError,
        _run,
        kept_file(selection.bundle, cell),
        Path(reference.path),
        tuple(names),
        tuple(map(np.ascontiguousarray, calls)),
        exact,
        progress,
        seconds,
    )
    outputs = results.outputs[cell.artifact.judged_output]
    count = min(len(inputs[0]), len(outputs) * batch)
    note = _likeness(bundle, cell, outputs.reshape(len(outputs), -1), positions[:count], samples)
    kernels = "LiteRT's reference kernels" if exact else "LiteRT's own kernels, since XNNPACK keeps no tensors"
    engine = "ONNX Runtime, with the tensors between layers as outputs"
    return LayerErrors(
        where="host",
        engine=f"on this machine, by {engine if cell.artifact.format == 'onnx' else kernels}",
        samples=count,
        reference=Path(reference.path).name,
        artifact=cell.artifact.sha256,
        data=part.fingerprint,
        layers=results.layers,
        notes=(note,),
    )


def _run(
    deployed: Path,
    reference: Path,
    names: tuple[str, ...],
    calls: tuple[NDArray[Any], ...],
    exact: bool,
    progress: Progress,
    seconds: float,
) -> LayerResults:
    network = NetworkFile.read(deployed, exact)
    groups = layer_groups(network.graph, names)
    return layer_errors(network, NetworkFile.read(reference), groups, list(zip(*calls, strict=True)), progress, seconds)


def cell_samples(bundle: Bundle, cell: CellResult, progress: Progress) -> EvaluationSamples:
    """The test samples of the cell.

    Raises:
        InferenceError: The dataset is not what it was.
    """
    header = bundle.header()
    part = header.rig["dataset"]
    dataset = make("dataset", part["use"], Dataset, part["options"])
    dataset.prepare(progress)
    samples = EvaluationSamples(dataset, header.rig["measure"]["samples"])
    known = bundle.samples(cell.id, ("indices", "labels"))
    count = len(known["indices"])
    if count < len(samples):
        samples, _ = samples.part(count)
    if not np.array_equal(samples.indices, known["indices"]) or not np.array_equal(
        samples.samples.labels, known["labels"]
    ):
        raise InferenceError(
            f"The test samples of {part['use']} are not those that {cell.id} ran.", "Measure it again."
        )
    return samples


def _likeness(
    bundle: Bundle,
    cell: CellResult,
    outputs: NDArray[np.float64],
    positions: NDArray[np.int64],
    samples: EvaluationSamples,
) -> str:
    """Whether the outputs are those that the cell gave for the same samples when it was measured."""
    scores = bundle.samples(cell.id, ("scores",)).get("scores")
    where = f"on {cell.target} by {cell.runtime}"
    if scores is None or len(scores) != len(samples):
        return f"Whether its outputs are those {where} is not known: the bundle does not hold them."
    before = np.asarray(scores)[positions].reshape(len(positions), -1)
    rows = outputs.reshape(len(positions), -1) if outputs.size == before.size else None
    if rows is None:
        return f"Whether its outputs are those {where} is not known: they have another shape."
    same = int((rows.astype(np.float32) == before.astype(np.float32)).all(axis=1).sum())
    if same == len(positions):
        return f"Its outputs are, bit by bit, those {where}."
    largest = float(np.abs(rows - before).max())
    count = f"{same} of {len(positions)} samples"
    return f"Its outputs are those {where} for {count}; the largest difference is {largest:.3g}."


def keep_errors(bundle: Path, cells: Iterable[CellResult], seconds: float, progress: Progress) -> None:
    """Measure the errors of the layers of quantized cells, ``seconds`` each at most, and keep them in the bundle.

    A cell whose errors cannot be had is left without them: that never costs the run.

    Raises:
        Interrupted: Ctrl-C.
    """
    for cell in cells:
        layer_map = read_layer_map(bundle, cell)
        if layer_map is None or cell.artifact.scheme == "float32":
            continue
        try:
            errors = cell_errors(Selection(bundle, cell), layer_map, progress, seconds)
        except StorageError as error:
            errors = Unavailable(error.message)
        if isinstance(errors, Unavailable):
            progress.log(f"{cell.id}: the errors of its layers are not known: {errors.reason}")
