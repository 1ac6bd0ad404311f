"""The errors of a cell's layers against the float network, on some of the run's samples; kept in the bundle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.bounded import isolated
from edgerig.compilers.layer_errors import NetworkFile, layer_errors, layer_groups
from edgerig.compilers.layer_errors.measure import FORMATS, LayerResults
from edgerig.compilers.layer_errors.probes import dequantized
from edgerig.datasets.base import Dataset
from edgerig.datasets.batches import in_calls
from edgerig.datasets.network_inputs import inputs_of
from edgerig.engine.layers.device_tensors import DeviceTensors, device_tensors, wanted_tensors
from edgerig.engine.rounds.steady import first_inputs
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import EdgerigError, InferenceError, Interrupted, StorageError
from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_error import LayerErrors
from edgerig.models.graph.read import read_graph
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.results.compare.artifacts import kept_file
from edgerig.results.layers.layer_map import LayerMap, read_layer_map
from edgerig.results.layers.stored import read_layer_errors, write_layer_errors
from edgerig.results.types import CellResult
from edgerig.targets.base import Target
from edgerig.targets.resolve import target_for
from edgerig.tensors import ORIGINAL_SCHEMES

#: Test samples on which the errors are measured: each has thousands of values a layer.
SAMPLES = 32
#: Runtimes whose results LiteRT's reference kernels define for int8 networks.
EXACT_RUNTIMES = frozenset({"micro", "tflm"})


class Selection(msgspec.Struct, frozen=True):
    """A cell of a bundle."""

    bundle: Path
    cell: CellResult


def cell_errors(
    selection: Selection,
    layer_map: LayerMap,
    progress: Progress,
    seconds: float = math.inf,
    target: Target | None = None,
) -> LayerErrors | Unavailable:
    """The errors of a cell's layers: out of the bundle, or measured and then kept there; or why there are none.

    Args:
        seconds: Time of measuring after which no further sample is begun.
        target: The cell's device, where it is open already.

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
        measured = _measured(selection, reference, names, progress, seconds, target)
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
    if artifact.scheme in ORIGINAL_SCHEMES:
        return Unavailable("it is a float network itself")
    descriptions = sorted(Bundle(selection.bundle).artifacts.glob("*.json"))
    candidates = {}
    for path in descriptions:
        other = Artifact.load(path)
        if other.scheme in ORIGINAL_SCHEMES and other.format == artifact.format and Path(other.path).is_file():
            candidates[other.sha256] = other
    for parent in reversed(parents):
        if parent in candidates:
            candidates[parent].read()
            return candidates[parent]
    return Unavailable(
        f"the bundle does not hold the float {artifact.format} network that it was made from: run that variant, too"
    )


def target_options(selection: Selection) -> dict[str, Any]:
    """The settings of the cell's target, as the rig file has them."""
    for entry in Bundle(selection.bundle).header().rig.get("matrix", ()):
        for part in entry.get("targets", ()):
            if part.get("use") == selection.cell.target:
                return dict(part.get("options", {}))
    return {}


def _measured(
    selection: Selection,
    reference: Artifact,
    names: Sequence[str],
    progress: Progress,
    seconds: float,
    target: Target | None,
) -> LayerErrors:
    cell, bundle, path = selection.cell, Bundle(selection.bundle), kept_file(selection.bundle, selection.cell)
    samples = cell_samples(bundle, cell, progress)
    part, positions = samples.part(SAMPLES)
    if part.windows is not None:
        raise InferenceError("The errors of layers are measured of samples that are not cut into windows.")
    batch = inputs_of(cell.artifact).batch
    inputs = part.first(cell.artifact, SAMPLES)
    calls = [array[:, None] if batch == 1 else in_calls(array, batch) for array in inputs]
    judge = _Judge(bundle, cell, samples, positions)
    device = _on_device(selection, reference, names, part, judge, progress, seconds, target)
    recorded = None if isinstance(device, Unavailable) else device
    exact = cell.runtime in EXACT_RUNTIMES and cell.artifact.scheme == "int8"
    results = isolated(
        f"Running the layers of {cell.id}",
        InferenceError,
        _run,
        path,
        Path(reference.path),
        tuple(names),
        tuple(np.ascontiguousarray(array if recorded is None else array[: recorded.samples]) for array in calls),
        exact,
        progress,
        seconds,
        None if recorded is None else recorded.values,
    )
    outputs = results.outputs[cell.artifact.judged_output]
    here = _engine_here(cell, exact)
    notes = [judge.likeness(outputs)[0]]
    if isinstance(device, Unavailable):
        notes.append(f"Its tensors were read here, since on the device they cannot be: {device.reason}.")
        engine = f"on this machine, by {here}"
    else:
        engine = f"on {cell.target}, by {cell.runtime} with them as outputs; layers alone on this machine, by {here}"
    return LayerErrors(
        where="host" if recorded is None else "device",
        engine=engine,
        samples=min(len(inputs[0]), len(outputs) * batch),
        reference=Path(reference.path).name,
        artifact=cell.artifact.sha256,
        data=part.fingerprint,
        layers=results.layers,
        notes=tuple(notes),
    )


def _engine_here(cell: CellResult, exact: bool) -> str:
    if cell.artifact.format == "onnx":
        return "ONNX Runtime, with the tensors between layers as outputs"
    return "LiteRT's reference kernels" if exact else "LiteRT's own kernels, since XNNPACK keeps no tensors"


def _on_device(
    selection: Selection,
    reference: Artifact,
    names: Sequence[str],
    part: EvaluationSamples,
    judge: _Judge,
    progress: Progress,
    seconds: float,
    target: Target | None,
) -> DeviceTensors | Unavailable:
    """The tensors as the device gives them, if the outputs beside them are those that the cell gave."""
    cell, path = selection.cell, kept_file(selection.bundle, selection.cell)
    graph, opened = read_graph(path), target
    if graph.format not in FORMATS:
        return Unavailable(f"a {graph.format} network has none")
    try:
        opened = opened or target_for(cell.target, target_options(selection))
        inputs = first_inputs(part, cell.artifact, SAMPLES)
        wanted = wanted_tensors(graph, read_graph(Path(reference.path)), names)
        device = device_tensors(cell, path.read_bytes(), graph, wanted, inputs, opened, progress, seconds)
    except Interrupted:
        raise
    except EdgerigError as error:
        return Unavailable(error.message.rstrip("."))
    finally:
        if opened is not None and target is None:
            opened.close()
    if isinstance(device, Unavailable):
        return device
    index = graph.outputs[cell.artifact.judged_output]
    outputs = np.stack([dequantized(array, graph.tensors[index]) for array in device.values[index]])
    text, same = judge.likeness(outputs)
    if same is False:
        return Unavailable(f"with them as outputs the network gives others there than it gave. {text.rstrip('.')}")
    return device


def _run(
    deployed: Path,
    reference: Path,
    names: tuple[str, ...],
    calls: tuple[NDArray[Any], ...],
    exact: bool,
    progress: Progress,
    seconds: float,
    recorded: dict[int, NDArray[Any]] | None,
) -> LayerResults:
    network = NetworkFile.read(deployed, exact)
    groups, each = layer_groups(network.graph, names), list(zip(*calls, strict=True))
    return layer_errors(network, NetworkFile.read(reference), groups, each, progress, seconds, recorded)


def cell_samples(bundle: Bundle, cell: CellResult, progress: Progress) -> EvaluationSamples:
    """The test samples of the cell.

    Raises:
        InferenceError: The dataset is not what it was.
    """
    header = bundle.header()
    part = header.rig["dataset"]
    dataset = make("dataset", part["use"], Dataset, part["options"])
    if task := header.rig.get("task"):
        dataset.task, dataset.task_options = task["use"], task["options"]
    dataset.prepare(progress)
    samples = EvaluationSamples(dataset, header.rig["measure"]["samples"])
    known = bundle.samples(cell.id, ("indices", "labels"))
    count = len(known["indices"])
    if count < len(samples):
        samples, _ = samples.part(count)
    # Only classifiers have labels.
    labels = samples.samples.labels
    if not np.array_equal(samples.indices, known["indices"]) or not np.array_equal(known.get("labels", labels), labels):
        raise InferenceError(
            f"The test samples of {part['use']} are not those that {cell.id} ran.", "Measure it again."
        )
    return samples


class _Judge:
    """Holds outputs against those that the cell gave for the same samples when it was measured."""

    def __init__(
        self, bundle: Bundle, cell: CellResult, samples: EvaluationSamples, positions: NDArray[np.int64]
    ) -> None:
        self._scores = bundle.samples(cell.id, ("scores",)).get("scores")
        self._where = f"on {cell.target} by {cell.runtime}"
        self._samples, self._positions = samples, positions

    def likeness(self, outputs: NDArray[np.float64]) -> tuple[str, bool | None]:
        """Whether the outputs of the first inferences are those that the cell gave, in a sentence; None: not known."""
        if self._scores is None or len(self._scores) != len(self._samples):
            return f"Whether its outputs are those {self._where} is not known: the bundle does not hold them.", None
        flat = outputs.reshape(-1)
        width = int(np.prod(self._scores.shape[1:]))
        positions = self._positions[: max(1, len(flat) // max(width, 1))]
        before = np.asarray(self._scores)[positions].reshape(len(positions), -1)
        if flat.size < before.size or not len(positions):
            return f"Whether its outputs are those {self._where} is not known: they have another shape.", None
        # The last batch is filled up.
        values = flat[: before.size].reshape(before.shape)
        same = int((values.astype(np.float32) == before.astype(np.float32)).all(axis=1).sum())
        if same == len(positions):
            return f"Its outputs are, bit by bit, those {self._where}.", True
        largest = float(np.abs(values - before).max())
        count = f"{same} of {len(positions)} samples"
        return f"Its outputs are those {self._where} for {count}; the largest difference is {largest:.3g}.", False


def keep_errors(
    bundle: Path,
    cells: Iterable[CellResult],
    seconds: float,
    progress: Progress,
    target_of: Callable[[CellResult], Target | None] = lambda cell: None,
) -> None:
    """Measure the errors of the layers of quantized cells, ``seconds`` each at most, and keep them in the bundle.

    A cell whose errors cannot be had is left without them: that never costs the run.

    Args:
        target_of: The device of a cell, where it is open already: another lease on it would be refused.

    Raises:
        Interrupted: Ctrl-C.
    """
    for cell in cells:
        layer_map = read_layer_map(bundle, cell)
        if layer_map is None or cell.artifact.scheme in ORIGINAL_SCHEMES:
            continue
        try:
            errors = cell_errors(Selection(bundle, cell), layer_map, progress, seconds, target_of(cell))
        except StorageError as error:
            errors = Unavailable(error.message)
        if isinstance(errors, Unavailable):
            progress.log(f"{cell.id}: the errors of its layers are not known: {errors.reason}")
