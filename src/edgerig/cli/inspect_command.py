"""``edgerig inspect``: a model's operators, shapes, parameters, MACs and memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.console import say, terminal_width
from edgerig.cli.inspect_c import c_folder, print_c_folder
from edgerig.cli.inspect_more import check_figures, print_signatures, print_summary, stated_figure
from edgerig.cli.memory_chart import Span, draw, over_time
from edgerig.cli.options import load_format, model_format_option
from edgerig.cli.tables import Column, render_table

if TYPE_CHECKING:
    from edgerig.artifact import Artifact, TensorSpec
    from edgerig.models.graph.analysis import Analysis
    from edgerig.models.graph.types import Graph, Tensor


@click.command(name="inspect")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
@click.option("--plan", is_flag=True, help="Draw memory over time: where each activation lies, and the peak.")
@click.option("--summary", is_flag=True, help="Show layers as Keras does: name, type, output shape, parameters.")
@click.option(
    "--expect",
    multiple=True,
    metavar="FIGURE=N",
    help="Fail unless the network has so many: macs=2656768, parameters=22604, operators=13; may be repeated.",
)
@model_format_option
def command(
    model: Path, as_json: bool, plan: bool, summary: bool, expect: tuple[str, ...], model_format: str | None
) -> None:
    """Show the operators of a .tflite, .onnx or .keras file, with shapes, parameters, MACs and memory.

    Of a folder with a TensorFlow SavedModel it shows the signatures, without TensorFlow; of a folder of C that
    `edgerig compile --to c` has written, the arena over time.
    Of a format whose operators a plugin does not tell it shows inputs, outputs and what else the plugin says.

    All figures follow from the file; nothing is run. MACs are multiply-accumulates of one inference; MACC is the
    figure of ST's tools. Activation memory is told as the plain sum and as a static plan by liveness needs it.

    \b
    Examples:
      edgerig inspect net.tflite
      edgerig inspect net.tflite --plan
      edgerig inspect build/net --plan
      edgerig inspect net.keras --summary
      edgerig inspect net.tflite --expect macs=2656768
      edgerig inspect exported/
      edgerig inspect net.onnx --json | jq .totals.macs
    """
    from edgerig.formats import named
    from edgerig.models.files import open_artifact
    from edgerig.models.graph.analysis import analyse
    from edgerig.models.graph.read import graph_in
    from edgerig.models.graph.saved_model import is_saved_model
    from edgerig.models.graph.summary import summarise

    load_format(model_format)
    stated = [stated_figure(text) for text in expect]
    if is_saved_model(model):
        check_figures(model, stated, None)
        print_signatures(model, as_json)
        return
    if (folder := c_folder(model)) is not None:
        check_figures(model, stated, None)
        print_c_folder(folder, as_json)
        return
    artifact = open_artifact(model)
    format = named(artifact.format)
    details = dict(format.details(model))
    graph = graph_in(format, model)
    analysis = analyse(graph) if graph is not None else None
    layers = summarise(graph, analysis) if summary and graph is not None and analysis is not None else None
    if as_json:
        from edgerig.cli.console import print_json

        document = _document(model, artifact, details, graph, analysis)
        print_json(document | {"summary": layers} if layers is not None else document)
        check_figures(model, stated, analysis)
        return
    _print_ends(model, artifact, details)
    if layers is not None:
        say()
        print_summary(layers)
    elif graph is not None and analysis is not None:
        _print_analysis(graph, analysis, plan)
    check_figures(model, stated, analysis)


def _print_ends(model: Path, artifact: Artifact, details: dict[str, str]) -> None:
    """What a file is, what it takes and gives, and what else its format tells."""
    say(f"{model.name}  {artifact.format}, {artifact.scheme}, {_bytes(artifact.size)}")
    for spec in artifact.inputs:
        say(f"  input  {spec.name}  {_spec(spec)}{_layout(spec)}")
    for spec in artifact.outputs:
        say(f"  output {spec.name}  {_spec(spec)}")
    for left in artifact.left_out:
        say(f"  output {left}, which is neither read nor compared")
    for title, text in details.items():
        say(f"  {title}  {text}")


def _document(
    model: Path, artifact: Artifact, details: dict[str, str], graph: Graph | None, analysis: Analysis | None
) -> dict[str, Any]:
    """What ``--json`` prints; without what follows from operators, where there are none to be had."""
    document: dict[str, Any] = {
        "file": str(model),
        "format": artifact.format,
        "scheme": artifact.scheme,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "metadata": {**(graph.metadata if graph is not None else {}), **details},
        "inputs": artifact.inputs,
        "outputs": artifact.outputs,
        "left_out": artifact.left_out,
    }
    if graph is None or analysis is None:
        return document
    return document | {
        "totals": _totals(analysis),
        "memory": _memory(analysis, graph.tensors),
        "operators": analysis.operators,
        "notes": analysis.notes,
    }


def _print_analysis(graph: Graph, analysis: Analysis, plan: bool) -> None:
    width = terminal_width(sys.stdout)
    say()
    _print_table(analysis, width)
    say()
    _print_totals(analysis)
    if plan:
        say()
        _print_plan(analysis, graph.tensors, width)
    for note in analysis.notes:
        say(f"note: {note}", fg="yellow")


def _totals(analysis: Analysis) -> dict[str, int]:
    return {
        "parameters": analysis.parameters,
        "weight_bytes": analysis.weight_bytes,
        "macs": analysis.macs,
        "macc": analysis.macc,
        "operators": len(analysis.operators),
    }


def _memory(analysis: Analysis, tensors: Any) -> dict[str, Any]:
    memory = analysis.memory
    return {
        "plain_sum_bytes": memory.plain_sum,
        "planned_bytes": memory.planned,
        "lower_bound_bytes": memory.lower_bound,
        "peak_operator": memory.peak_operator,
        "unpacked_weight_bytes": memory.unpacked_weights,
        "plan": [
            {
                "tensors": [tensors[index].name for index in piece.tensors],
                "offset": piece.offset,
                "bytes": piece.nbytes,
                "first_operator": piece.first,
                "last_operator": piece.last,
            }
            for piece in memory.placements
        ],
        "over_time": over_time(_spans(analysis, tensors), [operator.op for operator in analysis.operators]),
    }


def _spec(spec: TensorSpec) -> str:
    text = f"{spec.dtype} {_shape(spec.shape)}"
    if spec.quantization is None:
        return text
    quantization = spec.quantization
    if quantization.per_channel:
        where = "" if quantization.axis is None else f" on axis {quantization.axis}"
        return f"{text}, {len(quantization.scales)} scales{where}"
    return f"{text}, scale {quantization.scale:.7g}, zero point {quantization.zero_point}"


#: The columns of the table of operators; the highest rank is left out first on a narrow terminal.
OPERATOR_COLUMNS = (
    Column("#"),
    Column("operator", right=False),
    Column("output", right=False, rank=1),
    Column("type", right=False, rank=4),
    Column("parameters", rank=2),
    Column("MACs"),
    Column("MACC", rank=3),
    Column("weights B", rank=4),
)


def _layout(spec: TensorSpec) -> str:
    """The declared layout of an input, else the one that its shape suggests."""
    from edgerig.datasets.fitting import likely_layout

    if isinstance(spec.layout, str):
        return f", {spec.layout}"
    likely = likely_layout(spec.shape)
    return f", {likely} by its shape" if likely else ""


def _print_table(analysis: Analysis, width: int) -> None:
    rows = [
        [
            str(row.index),
            row.op,
            _shape(row.output_shapes[0]) if row.output_shapes else "-",
            row.output_dtype or "",
            _figure(row.parameters),
            _figure(row.macs if row.counted else None),
            _figure(row.macc if row.counted else None),
            _figure(row.weight_bytes),
        ]
        for row in analysis.operators
    ]
    totals = (analysis.parameters, analysis.macs, analysis.macc, analysis.weight_bytes)
    rows.append(["", "total", "", "", *(f"{total:,}" for total in totals)])
    for line in render_table(OPERATOR_COLUMNS, rows, width):
        say(line)


def _figure(value: int | None) -> str:
    """Nothing for a zero, so that the operators that cost something stand out; a question mark for what is unknown."""
    return "?" if value is None else f"{value:,}" if value else ""


def _print_totals(analysis: Analysis) -> None:
    memory = analysis.memory
    at = f" at operator {memory.peak_operator}" if memory.peak_operator is not None else ""
    say(f"weights      {_bytes(analysis.weight_bytes)} in {analysis.parameters:,} parameters")
    say(f"activations  {_bytes(memory.plain_sum)} as plain sum")
    say(f"             {_bytes(memory.planned)} as planned by liveness")
    say(f"             {_bytes(memory.lower_bound)} is the least that any plan needs{at}")
    if memory.unpacked_weights:
        say(f"             and {_bytes(memory.unpacked_weights)} for weights unpacked before use")


def _print_plan(analysis: Analysis, tensors: Sequence[Tensor], width: int) -> None:
    for line in draw(_spans(analysis, tensors), [operator.op for operator in analysis.operators], width):
        say(line)


def _spans(analysis: Analysis, tensors: Sequence[Tensor]) -> list[Span]:
    """The buffers of the plan by liveness; what views share has the name of the first tensor."""
    return [
        Span(tensors[piece.tensors[0]].name, piece.offset, piece.nbytes, piece.first, piece.last)
        for piece in analysis.memory.placements
    ]


def _shape(shape: tuple[int, ...] | None) -> str:
    return "?" if shape is None else "x".join("?" if size < 0 else str(size) for size in shape) or "scalar"


def _bytes(count: int) -> str:
    return f"{count:,} B"
