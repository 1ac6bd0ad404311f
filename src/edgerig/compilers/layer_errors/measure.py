"""Runs a deployed network and its float one side by side, and each layer alone on the float network's values."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgerig.compilers.layer_errors.groups import LayerGroup
from edgerig.compilers.layer_errors.isolate import TfliteCutter, cut_onnx, inputs_of, with_unpacking
from edgerig.compilers.layer_errors.match import Match, TensorMatcher
from edgerig.compilers.layer_errors.probes import Array, OnnxProbe, Probe, RecordedProbe, TfliteProbe
from edgerig.compilers.layer_errors.sums import ErrorSums
from edgerig.errors import IncompatibleError
from edgerig.measure.kinds import Unavailable
from edgerig.measure.layer_error import LayerError
from edgerig.models.graph.read import read_graph
from edgerig.models.graph.types import Graph
from edgerig.progress import Progress
from edgerig.text import cause_of

#: Formats whose engines give the tensors between layers.
FORMATS = ("tflite", "onnx")


class NetworkFile(msgspec.Struct, frozen=True):
    """A network's bytes and its graph; ``exact``: whether LiteRT's reference kernels run it."""

    data: bytes
    graph: Graph
    exact: bool = False

    @classmethod
    def read(cls, path: Path, exact: bool = False) -> NetworkFile:
        """The network of a file.

        Raises:
            ModelError: It cannot be read.
            IncompatibleError: Nothing gives the tensors between the layers of its format.
        """
        graph = read_graph(path)
        if graph.format not in FORMATS:
            raise IncompatibleError(
                f"Nothing tells the tensors between the layers of {path.name}, a {graph.format} network.",
                f"Errors of layers are had of {' and '.join(FORMATS)} networks.",
            )
        return cls(path.read_bytes(), graph, exact)

    def probe(self, wanted: Sequence[int]) -> Probe:
        """An engine that gives the ``wanted`` tensors of it."""
        if self.graph.format == "onnx":
            return OnnxProbe(self.data, self.graph, wanted)
        return TfliteProbe(self.data, self.graph, reference=self.exact)


class LayerResults(msgspec.Struct, frozen=True):
    """Errors by layer, and the outputs of the deployed network for each sample: dequantized, by index of the output."""

    layers: tuple[LayerError, ...]
    outputs: tuple[NDArray[np.float64], ...]


def layer_errors(
    deployed: NetworkFile,
    reference: NetworkFile,
    groups: Sequence[LayerGroup],
    calls: Sequence[Sequence[Array]],
    progress: Progress,
    seconds: float = math.inf,
    recorded: Mapping[int, Array] | None = None,
) -> LayerResults:
    """The error of each of ``groups``, layers of ``deployed``, against ``reference``.

    A layer without a tensor that certainly has the meaning of one of the float network is `Unavailable`, with the
    reason.

    Args:
        deployed, reference: Networks of one format, with the same inputs.
        calls: What an inference takes each: for each input of ``deployed`` an array of real numbers, or of integers
            for an input that takes such.
        seconds: Time after which no further one is begun.
        recorded: The tensors of ``deployed`` in the inferences of ``calls``, by index, where a device gave them; the
            network as a whole is not run then, and its layers alone are.

    Raises:
        IncompatibleError: The two are of different formats, or take different inputs.
    """
    counterparts = _paired_inputs(deployed.graph, reference.graph)
    matcher = TensorMatcher(deployed.graph, reference.graph)
    layers = [_Layer(group, deployed.graph, matcher) for group in groups]
    matches = [layer.output for layer in layers if isinstance(layer.output, Match)]
    inputs = {match.reference for layer in layers for match in layer.inputs}
    wanted = sorted({match.deployed for match in matches} | {*deployed.graph.outputs})
    ours = deployed.probe(wanted) if recorded is None else RecordedProbe(deployed.graph, recorded)
    theirs = reference.probe(sorted({match.reference for match in matches} | inputs))
    outputs: list[list[NDArray[np.float64]]] = [[] for _ in deployed.graph.outputs]
    alone = _AloneRuns(deployed, layers)
    deadline = time.monotonic() + seconds
    with progress.task("run the network and its float one, layer by layer", len(calls)) as task:
        for call in calls:
            ours.run(dict(zip(deployed.graph.inputs, call, strict=True)))
            theirs.run(dict(zip(counterparts, call, strict=True)))
            for layer in layers:
                layer.take(ours, theirs)
            alone.run(theirs)
            for position, index in enumerate(deployed.graph.outputs):
                outputs[position].append(ours.value(index))
            task.advance()
            if time.monotonic() > deadline:
                break
    return LayerResults(
        tuple(layer.result(deployed.graph) for layer in layers), tuple(np.stack(each) for each in outputs)
    )


def _paired_inputs(deployed: Graph, reference: Graph) -> list[int]:
    """The tensors of ``reference`` that are fed what the inputs of ``deployed`` are: by their names where these are the
    same, else in order.

    Raises:
        IncompatibleError: The two networks do not take the same.
    """
    if deployed.format != reference.format:
        raise IncompatibleError(
            f"{deployed.name} is a {deployed.format} network and its float one is {reference.format}: their tensors "
            "have other layouts.",
            "Compare it with the float network in its own format.",
        )
    ours = {deployed.tensors[index].name: index for index in deployed.inputs}
    theirs = {reference.tensors[index].name: index for index in reference.inputs}
    paired = [theirs[name] for name in ours] if ours.keys() == theirs.keys() else list(reference.inputs)
    shapes = [list(deployed.tensors[index].shape) for index in ours.values()]
    others = [list(reference.tensors[index].shape) for index in paired]
    if shapes != others:
        raise IncompatibleError(
            f"{deployed.name} takes {', '.join(map(str, shapes))}, and its float network "
            f"{', '.join(map(str, others))}.",
            "Compare it with the network that it was made from.",
        )
    return paired


class _Layer:
    """One layer while samples are run."""

    def __init__(self, group: LayerGroup, graph: Graph, matcher: TensorMatcher) -> None:
        self.group = group
        self.output = matcher.output_of(group.operators)
        self.sums, self.own = ErrorSums(), ErrorSums()
        self.inputs: list[Match] = []
        self.not_alone = "" if isinstance(self.output, Match) else self.output
        matched = [matcher.input_of(index) for index in inputs_of(graph, group.operators)]
        reasons = [match for match in matched if isinstance(match, str)]
        if reasons and not self.not_alone:
            self.not_alone = f"an input of it cannot be had from the float network: {reasons[0]}"
        if any(
            graph.tensors[index].variable
            for number in group.operators
            for index in graph.operators[number].inputs
            if index >= 0
        ):
            self.not_alone = self.not_alone or "it has a state"
        if not self.not_alone:
            self.inputs = [match for match in matched if isinstance(match, Match)]

    def take(self, ours: Probe, theirs: Probe) -> None:
        if isinstance(self.output, Match):
            self.sums.add(theirs.value(self.output.reference), ours.value(self.output.deployed))

    def result(self, graph: Graph) -> LayerError:
        label, operators = self.group.key.label, self.group.operators
        unmatched = Unavailable(self.output) if isinstance(self.output, str) else None
        sqnr, largest = (unmatched, unmatched) if unmatched else self.sums.figures("with all errors before it")
        missing = Unavailable(self.not_alone) if self.not_alone else None
        own = (missing, missing) if missing else self.own.figures("on the float network's input of it")
        return LayerError(
            name=label,
            operators=operators,
            tensor=graph.tensors[self.output.deployed].name if isinstance(self.output, Match) else "",
            sqnr=sqnr,
            largest=largest,
            own_sqnr=own[0],
            own_largest=own[1],
        )


class _AloneRuns:
    """Each layer as a network of its own, fed with the float network's values."""

    def __init__(self, deployed: NetworkFile, layers: Sequence[_Layer]) -> None:
        self._runs: list[tuple[_Layer, _Alone]] = []
        cutter = TfliteCutter(deployed.data) if deployed.graph.format == "tflite" else None
        for layer in layers:
            if layer.not_alone or not isinstance(layer.output, Match):
                continue
            try:
                self._runs.append((layer, _Alone(deployed, cutter, layer)))
            except Exception as error:  # an engine refuses a part of a network with errors of many classes
                layer.not_alone = f"the engine does not run it alone: {cause_of(error, 200)}"

    def run(self, theirs: Probe) -> None:
        for layer, alone in self._runs:
            assert isinstance(layer.output, Match), "only matched layers are run alone"
            alone.feed({match.deployed: theirs.value(match.reference) for match in layer.inputs})
            layer.own.add(theirs.value(layer.output.reference), alone.result())


class _Alone:
    """One layer cut out of its file, in its engine."""

    def __init__(self, deployed: NetworkFile, cutter: TfliteCutter | None, layer: _Layer) -> None:
        assert isinstance(layer.output, Match), "only matched layers are run alone"
        self._output, graph = layer.output.deployed, deployed.graph
        inputs = [match.deployed for match in layer.inputs]
        if cutter is not None:
            data = cutter.cut(with_unpacking(graph, layer.group.operators), inputs, self._output)
            self._probe: Probe = TfliteProbe(data, graph, reference=deployed.exact)
            return
        names = [graph.tensors[index].name for index in inputs]
        data = cut_onnx(deployed.data, names, graph.tensors[self._output].name, file=f"{graph.name}.onnx")
        self._probe = OnnxProbe(data, graph, [self._output])

    def feed(self, inputs: dict[int, NDArray[np.float64]]) -> None:
        self._probe.run(dict(inputs))

    def result(self) -> NDArray[np.float64]:
        return self._probe.value(self._output)
