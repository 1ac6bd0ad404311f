"""The search for mixed precision: which layers of an int8 network go back to float32."""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.artifact import Artifact
from edgerig.compilers.calibrated_tflite import Recipe, calibrated
from edgerig.compilers.calibration import calibration_inputs
from edgerig.compilers.layer_errors import LayerGroup, NetworkFile, layer_errors, layer_groups
from edgerig.compilers.quantize import quantize
from edgerig.compilers.scales import SHARED
from edgerig.datasets.base import Dataset, Samples
from edgerig.datasets.network_inputs import inputs_of
from edgerig.datasets.preprocess import quantize_input
from edgerig.datasets.splits import calibration_indices
from edgerig.errors import CompileError
from edgerig.measure.kinds import Measurement
from edgerig.measure.layer_error import LayerError
from edgerig.measure.shares import paired_difference
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import io_specs, read_graph
from edgerig.models.graph.scheme import FLOATS, WEIGHTED
from edgerig.models.graph.types import Graph
from edgerig.progress import Progress

#: Calibration samples on which the layers' own errors are measured.
ERROR_SAMPLES = 32
#: Validation samples that are preprocessed at once.
CHUNK = 256


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the search, measured on the validation split.

    Attributes:
        layer: The layer that is float32 from here on; empty for the first step, where all are int8.
        sqnr: Its own, in dB.
        change: Accuracy less the float network's, a share of 1; ``low`` and ``high`` are its 95 % interval.
        bytes: Of the file. int8_macs: the share of all multiply-accumulates that are computed in integers.
    """

    layer: str
    sqnr: float | None
    accuracy: float
    change: float
    low: float
    high: float
    samples: int
    bytes: int
    int8_macs: float


class Mixture(msgspec.Struct, frozen=True):
    """The network that the search ends with; ``float_tensors`` are the outputs of the operators that are float32."""

    data: bytes
    float_layers: tuple[str, ...]
    float_tensors: frozenset[str]
    float_accuracy: float
    steps: tuple[Step, ...]


class _Candidate(msgspec.Struct, frozen=True):
    name: str
    outputs: tuple[str, ...]
    sqnr: float | None


class Search:
    """A search on one network.

    Args:
        data: Float TFLite with one signature and unique tensor names. inputs: names of its inputs in the signature.
        recipe: That of the int8 network.
        settings: Those of the compiler (`edgerig.compilers.mixed.MixedSettings`).
    """

    def __init__(
        self,
        artifact: Artifact,
        data: bytes,
        inputs: Sequence[str],
        recipe: Recipe,
        dataset: Dataset,
        settings: Any,
        progress: Progress,
    ) -> None:
        self._artifact, self._recipe, self._progress = artifact, recipe, progress
        arrays = calibration_inputs(dataset, artifact.preprocessing, artifact.inputs, settings.calibration_samples)
        count = len(arrays[0])
        with progress.task(f"calibrate {artifact.name} on {count} samples", count) as task:
            samples = dict(zip(inputs, arrays, strict=True))
            file = Path(artifact.path).name
            self._data, self._ranges = calibrated(data, recipe, samples, "int8", file, task.advance)
        self._calls = list(zip(*(array[:ERROR_SAMPLES] for array in arrays), strict=True))
        validation = dataset.split("validation")
        indices = np.sort(calibration_indices(validation, settings.validation_samples))
        self._samples: Samples = validation.take(indices)
        self._dataset = dataset

    def run(self, margin: float, budget: str) -> Mixture:
        """Turn layers to float32 until the accuracy is at most ``margin``, a share, below the float network's.

        Raises:
            CompileError: Nothing is left in integers then.
        """
        exact = self._right(self._data)
        accuracy = float(exact.mean())
        current = self._mixture(())
        candidates = self._candidates(current)
        steps: list[Step] = []
        chosen: list[_Candidate] = []
        name = f"search mixed precision of {self._artifact.name}"
        with self._progress.task(name, len(candidates) + 1) as task:
            for latest in (None, *candidates):
                if latest is not None:
                    chosen.append(latest)
                    current = self._mixture(chosen)
                steps.append(self._step(latest, current, exact))
                task.advance()
                if steps[-1].change >= -margin and steps[-1].int8_macs > 0:
                    return Mixture(
                        data=current,
                        float_layers=tuple(candidate.name for candidate in chosen),
                        float_tensors=_outputs(chosen),
                        float_accuracy=accuracy,
                        steps=tuple(steps),
                    )
        best = max(step.change for step in steps if step.int8_macs > 0) * 100
        raise CompileError(
            f"No mixture keeps {self._artifact.name} within {budget}: the best that has a layer in int8 "
            f"loses {-best:.2f} points on {len(exact):,} samples.",
            "Allow more, take int16x8, or look at the layers' errors: edgerig layers RUN --errors.",
        )

    def _mixture(self, chosen: Sequence[_Candidate]) -> bytes:
        """The network with the ``chosen`` layers in float32 and all others in int8."""
        from litert_quantizer import algorithm_manager, qtyping

        rules = [
            {
                # The library's scope of an operator is the names of its outputs, each with a semicolon behind it.
                "regex": f"^{re.escape(name)};",
                "operation": qtyping.TFLOperationName.ALL_SUPPORTED,
                "algorithm_key": algorithm_manager.AlgorithmName.NO_QUANTIZE,
            }
            for name in sorted(_outputs(chosen))
        ]
        return quantize(self._data, [*self._recipe, *rules], self._ranges)

    def _candidates(self, int8: bytes) -> list[_Candidate]:
        """Layers that compute anything, the one with the largest error of its own first."""
        deployed, reference = self._read(int8), self._read(self._data)
        graph = deployed.graph
        groups = [
            group for group in layer_groups(graph) if any(graph.operators[i].op not in SHARED for i in group.operators)
        ]
        errors = layer_errors(deployed, reference, groups, self._calls, self._progress).layers
        candidates = [_candidate(graph, group, error) for group, error in zip(groups, errors, strict=True)]
        return sorted(candidates, key=lambda each: math.inf if each.sqnr is None else each.sqnr)

    def _step(self, latest: _Candidate | None, data: bytes, exact: NDArray[np.bool_]) -> Step:
        right = self._right(data)
        lost, gained = int((exact & ~right).sum()), int((right & ~exact).sum())
        low, high = paired_difference(lost, gained, len(right))
        return Step(
            layer=latest.name if latest else "",
            sqnr=latest.sqnr if latest else None,
            accuracy=float(right.mean()),
            change=(gained - lost) / len(right),
            low=low,
            high=high,
            samples=len(right),
            bytes=len(data),
            int8_macs=int8_share(self._read(data).graph),
        )

    def _read(self, data: bytes) -> NetworkFile:
        with tempfile.TemporaryDirectory(prefix="edgerig-mixed-") as folder:
            path = Path(folder) / f"{self._artifact.name}.tflite"
            path.write_bytes(data)
            return NetworkFile(data, read_graph(path))

    def _right(self, data: bytes) -> NDArray[np.bool_]:
        """Whether the network is right, for each validation sample; by LiteRT as it runs in daily use."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=data, num_threads=1)
        interpreter.allocate_tensors()
        indices_of_inputs = [detail["index"] for detail in interpreter.get_input_details()]
        output = interpreter.get_output_details()[self._artifact.judged_output]["index"]
        graph, network = self._read(data).graph, inputs_of(self._artifact)
        specs, _ = io_specs(graph)
        predictions: list[NDArray[np.int64]] = []
        for start in range(0, len(self._samples), CHUNK):
            part = slice(start, min(start + CHUNK, len(self._samples)))
            values = self._samples.named_inputs(part, self._artifact.preprocessing)
            fed = [
                quantize_input(array, spec)
                for array, spec in zip(network.fitted(values, self._dataset.name), specs, strict=True)
            ]
            rows = []
            for call in zip(*network.calls(fed), strict=True):
                for index, array, spec in zip(indices_of_inputs, call, specs, strict=True):
                    interpreter.set_tensor(index, array.reshape(spec.shape))
                interpreter.invoke()
                # One scale for all scores: their order is that of the integers.
                rows.append(interpreter.get_tensor(output).reshape(network.batch, -1).argmax(axis=1))
            predictions.append(np.concatenate(rows)[: part.stop - part.start])
        return np.asarray(np.concatenate(predictions) == self._samples.labels, np.bool_)


def int8_share(graph: Graph) -> float:
    """The share of a network's multiply-accumulates in operators that have weights and give integers."""
    macs = {cost.index: cost.macs for cost in analyse(graph).operators}
    weighted = [operator for operator in graph.operators if operator.op in WEIGHTED]
    total = sum(macs.get(operator.index, 0) for operator in weighted)
    integer = sum(
        macs.get(operator.index, 0) for operator in weighted if graph.tensors[operator.outputs[0]].dtype not in FLOATS
    )
    return integer / total if total else 0.0


def _candidate(graph: Graph, group: LayerGroup, error: LayerError) -> _Candidate:
    outputs = tuple(graph.tensors[index].name for i in group.operators for index in graph.operators[i].outputs)
    sqnr = error.own_sqnr if isinstance(error.own_sqnr, Measurement) else error.sqnr
    return _Candidate(group.key.label, outputs, sqnr.value if isinstance(sqnr, Measurement) else None)


def _outputs(chosen: Sequence[_Candidate]) -> frozenset[str]:
    return frozenset(name for candidate in chosen for name in candidate.outputs)
