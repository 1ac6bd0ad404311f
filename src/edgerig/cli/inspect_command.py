"""``edgerig inspect``: a model's operators, shapes, parameters, MACs and memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgerig.artifact import TensorSpec
    from edgerig.models.graph.analysis import Analysis


@click.command(name="inspect")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output.")
@click.option("--plan", is_flag=True, help="Show where the memory plan puts each activation.")
def command(model: Path, as_json: bool, plan: bool) -> None:
    """Show the operators of a .tflite, .onnx or .keras file, with shapes, parameters, MACs and memory.

    All figures follow from the file; nothing is run. MACs are multiply-accumulates of one inference; MACC is the
    figure of ST's tools. Activation memory is told as the plain sum and as a static plan by liveness needs it.

    \b
    Examples:
      edgerig inspect net.tflite
      edgerig inspect net.tflite --plan
      edgerig inspect net.onnx --json | jq .totals.macs
    """
    from edgerig.models.files import open_artifact
    from edgerig.models.graph.analysis import analyse
    from edgerig.models.graph.read import read_graph

    artifact = open_artifact(model)
    graph = read_graph(model)
    analysis = analyse(graph)
    if as_json:
        from edgerig.cli.console import print_json

        print_json(
            {
                "file": str(model),
                "format": artifact.format,
                "scheme": artifact.scheme,
                "size": artifact.size,
                "sha256": artifact.sha256,
                "metadata": graph.metadata,
                "inputs": artifact.inputs,
                "outputs": artifact.outputs,
                "totals": _totals(analysis),
                "memory": _memory(analysis, graph.tensors),
                "operators": analysis.operators,
                "notes": analysis.notes,
            }
        )
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = 160
    console.print(f"[bold]{model.name}[/]  {artifact.format}, {artifact.scheme}, {_bytes(artifact.size)}")
    for what, specs in (("input", artifact.inputs), ("output", artifact.outputs)):
        for spec in specs:
            console.print(f"  {what:6} {spec.name}  {_spec(spec)}", markup=False)
    console.print(_table(analysis, wide=console.width >= 100))
    _print_totals(console, analysis)
    if plan:
        console.print(_plan_table(analysis, graph.tensors))
    for note in analysis.notes:
        console.print(f"note: {note}", style="yellow", markup=False)


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
    }


def _spec(spec: TensorSpec) -> str:
    text = f"{spec.dtype} {_shape(spec.shape)}"
    if spec.quantization is None:
        return text
    scales, zeros = spec.quantization.scales, spec.quantization.zero_points
    if len(scales) > 1:
        return f"{text}, {len(scales)} scales on axis {spec.quantization.axis}"
    return f"{text}, scale {scales[0]:.7g}, zero point {zeros[0]}"


def _table(analysis: Analysis, wide: bool) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    columns: dict[str, tuple[list[int | None], int]] = {
        "parameters": ([row.parameters for row in analysis.operators], analysis.parameters),
        "MACs": ([row.macs if row.counted else None for row in analysis.operators], analysis.macs),
        "MACC": ([row.macc if row.counted else None for row in analysis.operators], analysis.macc),
    }
    if wide:
        columns["weights B"] = ([row.weight_bytes for row in analysis.operators], analysis.weight_bytes)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_footer=True)
    table.add_column("#", justify="right", min_width=len(str(len(analysis.operators))))
    table.add_column("operator", "total", no_wrap=True)
    table.add_column("output", no_wrap=True)
    if wide:
        table.add_column("type")
    for name, (_, total) in columns.items():
        # Names may be cut on a narrow terminal, figures never.
        width = max(len(name), len(f"{total:,}"))
        table.add_column(name, f"{total:,}", justify="right", min_width=width, no_wrap=True)
    for place, row in enumerate(analysis.operators):
        shape = _shape(row.output_shapes[0]) if row.output_shapes else "-"
        figures = [values[place] for values, _ in columns.values()]
        shown = ["?" if figure is None else f"{figure:,}" if figure else "" for figure in figures]
        kind = (row.output_dtype or "",) if wide else ()
        table.add_row(str(row.index), Text(row.op), shape, *kind, *shown)
    return table


def _print_totals(console: Any, analysis: Analysis) -> None:
    memory = analysis.memory
    at = f" at operator {memory.peak_operator}" if memory.peak_operator is not None else ""
    console.print(f"weights      {_bytes(analysis.weight_bytes)} in {analysis.parameters:,} parameters")
    console.print(f"activations  {_bytes(memory.plain_sum)} as plain sum")
    console.print(f"             {_bytes(memory.planned)} as planned by liveness")
    console.print(f"             {_bytes(memory.lower_bound)} is the least that any plan needs{at}")
    if memory.unpacked_weights:
        console.print(f"             and {_bytes(memory.unpacked_weights)} for weights unpacked before use")


def _plan_table(analysis: Analysis, tensors: Any) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("offset", "bytes", "alive"):
        table.add_column(name, justify="right")
    table.add_column("tensors")
    for piece in analysis.memory.placements:
        names = ", ".join(tensors[index].name for index in piece.tensors)
        table.add_row(f"{piece.offset:,}", f"{piece.nbytes:,}", f"{piece.first}-{piece.last}", Text(names))
    return table


def _shape(shape: tuple[int, ...] | None) -> str:
    return "?" if shape is None else "x".join(map(str, shape)) or "scalar"


def _bytes(count: int) -> str:
    return f"{count:,} B"
