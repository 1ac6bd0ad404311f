"""What `edgerig inspect` prints beside operators: a summary of layers, and the signatures of a SavedModel."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgerig.cli.console import print_json, say, terminal_width
from edgerig.cli.tables import Column, render_table
from edgerig.errors import ArtifactCheckError, IncompatibleError, UnknownNameError, UsageError
from edgerig.text import one_line

if TYPE_CHECKING:
    from edgerig.models.graph.analysis import Analysis
    from edgerig.models.graph.saved_model import SignatureTensor
    from edgerig.models.graph.summary import Summary

#: Letters of a layer's name: converters write whole paths of operators.
LONGEST_NAME = 48
SUMMARY_COLUMNS = (
    Column("layer (type)", right=False),
    Column("output shape", right=False, rank=1),
    Column("parameters"),
)


def print_summary(summary: Summary) -> None:
    """The layers as Keras prints them, and the sums."""
    rows = [
        [
            f"{one_line(layer.name, LONGEST_NAME)} ({layer.kind})" if layer.name else layer.kind,
            shape_text(layer.shape),
            "?" if layer.parameters is None else f"{layer.parameters:,}",
        ]
        for layer in summary.layers
    ]
    for line in render_table(SUMMARY_COLUMNS, rows, terminal_width(sys.stdout)):
        say(line)
    say()
    unknown = sum(layer.parameters is None for layer in summary.layers)
    without = f", without {unknown} layers whose weights are not known" if unknown else ""
    say(f"Total params: {summary.parameters:,}{without}")
    if summary.trainable is None or summary.non_trainable is None:
        say("Trainable params: not known, the file does not tell")
    else:
        say(f"Trainable params: {summary.trainable:,}")
        say(f"Non-trainable params: {summary.non_trainable:,}")


def print_signatures(path: Path, as_json: bool) -> None:
    """The signatures of the SavedModel in the folder ``path``.

    Raises:
        ModelError: It is no such folder.
    """
    from edgerig.models.graph.saved_model import read_saved_model

    graphs = read_saved_model(path)
    if as_json:
        print_json({"file": str(path), "format": "saved_model", "graphs": graphs})
        return
    for graph in graphs:
        tags = ", ".join(map(one_line, graph.tags)) or "no tag"
        written = f", written by TensorFlow {one_line(graph.version)}" if graph.version else ""
        say(f"{path.name}  SavedModel, {tags}{written}")
        for signature in graph.signatures:
            say(f"signature {one_line(signature.name)}  {one_line(signature.method)}")
            for tensor in signature.inputs:
                say(f"  input  {_tensor(tensor)}")
            for tensor in signature.outputs:
                say(f"  output {_tensor(tensor)}")
        if not graph.signatures:
            say("  it offers no signature")
    say("It runs on TensorFlow (runtime savedmodel); other engines take what TensorFlow exports: .tflite or .onnx.")


def _tensor(tensor: SignatureTensor) -> str:
    name = f", {one_line(tensor.name)}" if tensor.name else ""
    return f"{one_line(tensor.key)}  {tensor.dtype} {shape_text(tensor.shape)}{name}"


def stated_figure(text: str) -> tuple[str, int]:
    """``macs=2656768`` taken apart.

    Raises:
        UsageError: It is no figure with a number. UnknownNameError: There is no such figure.
    """
    from edgerig.models.graph.expectations import FIGURES

    name, _, number = text.partition("=")
    digits = number.replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdecimal()):
        raise UsageError(f"--expect {text!r} states no number.", "Write --expect macs=2656768.")
    if name not in FIGURES:
        raise UnknownNameError("figure", name, FIGURES)
    return name, int(digits)


def check_figures(model: Path, stated: Sequence[tuple[str, int]], analysis: Analysis | None) -> None:
    """Hold what is stated of a network against its file.

    Raises:
        ArtifactCheckError: A figure is another one. IncompatibleError: The file does not tell its operators.
    """
    from edgerig.models.graph.expectations import mismatch

    if stated and analysis is None:
        raise IncompatibleError(
            f"{model.name} does not tell its operators, so that nothing can be counted.",
            "Leave --expect out, or inspect the network that this file was compiled from.",
        )
    if analysis is None:
        return
    problems = [problem for figure, number in stated if (problem := mismatch(figure, number, analysis))]
    if problems:
        raise ArtifactCheckError(
            f"{model.name}: {' '.join(problems)}", "What was derived from that number is wrong, too."
        )


def shape_text(shape: tuple[int, ...] | None) -> str:
    """A shape as Keras prints it.

    >>> shape_text((-1, 49, 10, 1)), shape_text((3,)), shape_text(None)
    ('(None, 49, 10, 1)', '(3,)', '?')
    """
    if shape is None:
        return "?"
    sizes = ["None" if size < 0 else str(size) for size in shape]
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
