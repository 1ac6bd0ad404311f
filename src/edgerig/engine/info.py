"""What a model is, in a few figures for the report."""

from __future__ import annotations

from pathlib import Path

from edgerig.artifact import Artifact
from edgerig.errors import EdgerigError
from edgerig.models.graph.analysis import analyse
from edgerig.models.graph.read import read_graph
from edgerig.results.types import ModelInfo


def model_info(model: Artifact, name: str, source: str, artifacts: list[Artifact]) -> ModelInfo:
    """Name, source and counts; the counts come from the first deployed float file whose graph can be read.

    A Keras file holds no operators in execution order, so its TFLite is counted instead.
    """
    parameters = macs = None
    for artifact in sorted(artifacts, key=lambda a: (a.scheme != "float32", a.format != "tflite")):
        if artifact.format not in ("tflite", "onnx"):
            continue
        try:
            counts = analyse(read_graph(Path(artifact.path)))
        except EdgerigError:
            continue
        parameters, macs = counts.parameters, counts.macs
        break
    training = next((dict(origin.options) for origin in model.origins if origin.tool == "train"), {})
    return ModelInfo(name=name, source=source, parameters=parameters, macs=macs, training=training)
