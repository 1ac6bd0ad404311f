"""``edgerig compile``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.compiler_options import compiler_names
from edgerig.cli.console import ConsoleProgress, echo, print_json, terminal_width
from edgerig.cli.options import (
    custom_layers,
    custom_option,
    dataset_settings,
    find_here,
    format_option,
    layout_option,
    load_format,
    load_plugins,
    parse_dataset_settings,
    parse_options,
    parse_shapes,
    shape_option,
)
from edgerig.cli.tables import Column, render_table

if TYPE_CHECKING:
    from edgerig.artifact import Artifact, Layout
    from edgerig.compilers.chains import Chains, CompiledFile, Failure
    from edgerig.compilers.sizes import SizeRow
    from edgerig.datasets.base import Dataset
    from edgerig.errors import EdgerigError

#: The names that the size table of the STM32 digit project gives to these.
SEED_NAMES = {"float32": "none (float32)", "dynamic": "size (dynamic)"}

#: The format whose layers ``--explain`` tells of.
C_SOURCE = "c-source"


@click.command(name="compile")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "targets",
    multiple=True,
    required=True,
    metavar="COMPILER[+COMPILER]",
    help="What to make: a compiler, a chain of them such as prune+int8, or 'all'; may be repeated. `edgerig list "
    "compilers` names them.",
)
@click.option(
    "--dataset", help="What to calibrate or train with (its training split); `edgerig list datasets` names them."
)
@dataset_settings
@click.option(
    "--task", metavar="NAME", help="What the dataset's labels are for, instead of its own task: regression .."
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="[COMPILER.]KEY=VALUE",
    help="A setting of the compilers that have it, or of one of them.",
)
@format_option
@custom_option
@layout_option
@shape_option
@click.option("--cpu", metavar="CPU", help="Of C code: the CPU whose kernels are used, such as cortex-m7.")
@click.option("--optimize", metavar="GOAL", help="Of C code: speed or size.")
@click.option("--budget", metavar="TEXT", help="Of mixed: what may be lost, such as 'accuracy 0.5 points'.")
@click.option("--name", metavar="NAME", help="Of C code and C arrays: the name in C.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build"),
    show_default=True,
    help="Folder for the compiled files.",
)
@click.option(
    "--explain",
    is_flag=True,
    help="Of C code: which kernel runs each layer, its instructions, and why no better kernel does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was made as one JSON document.")
def command(
    model: Path,
    targets: tuple[str, ...],
    dataset: str | None,
    dataset_option: tuple[str, ...],
    dataset_root: Path | None,
    task: str | None,
    options: tuple[str, ...],
    format_: str | None,
    custom: str | None,
    layout: Layout | None,
    shape: tuple[str, ...],
    cpu: str | None,
    optimize: str | None,
    budget: str | None,
    name: str | None,
    out: Path,
    explain: bool,
    as_json: bool,
) -> None:
    """Convert or quantize the file MODEL (.keras, .h5, .tflite, .onnx, .pt2 ..), and say what that saves.

    Each file is inspected before it is written: if int8 was asked for and a weight or an activation is still
    float, nothing is written and the tensor is named. Beside each file lies its description, <file>.json: inputs,
    outputs, preprocessing, and what it was made from.

    `edgerig list compilers` names the compilers, `edgerig list compilers NAME` the settings for --option.

    \b
    Examples:
      edgerig compile runs/train/mnist-cnn.keras --to float32
      edgerig compile net.tflite --to int8 --dataset mnist --out build/
      edgerig compile net.tflite --to int8 --dataset mnist --option input_type=uint8 --option output_type=float32
      edgerig compile net.keras --to all --dataset mnist
      edgerig compile net.keras --to int8 --to prune+int8 --dataset mnist --option prune.share=0.8
      edgerig compile net.tflite --to mixed --budget "accuracy 0.5 points" --dataset mnist
      edgerig compile build/net_int8.tflite --to c-array --option name=digits
      edgerig compile build/net_int8.tflite --to c --cpu cortex-m7 --out build/net
      edgerig compile build/net_int8.tflite --to c --cpu cortex-m7 --explain --out build/net
    """
    from edgerig.cli.signals import stop_on_termination
    from edgerig.compilers.chains import compile_chains, for_dataset, plan_chains
    from edgerig.compilers.sizes import size_table
    from edgerig.datasets.fitting import check_size
    from edgerig.models.declared import declare, with_fixed_shapes, with_likely_layout
    from edgerig.models.files import open_artifact

    compilers = compiler_names(targets)
    find_here(*compilers, *([dataset] if dataset else []), *([task] if task else []))
    load_format(format_)
    load_plugins("compiler", compilers)
    data = _dataset(dataset, dataset_option, dataset_root, task)
    source = declare(open_artifact(model, options=custom_layers(custom)), layout)
    shapes = parse_shapes(shape, [source.inputs])
    short = {"cpu": cpu, "optimize": optimize, "budget": budget, "name": name}
    settings = {key: value for key, value in short.items() if value is not None}
    chains = plan_chains(targets, {**settings, **parse_options(options, "--option")}, source, data)
    if explain:
        _check_explained(chains)
    stop_on_termination()
    progress = ConsoleProgress()
    for reason in chains.skipped:
        progress.log(f"left out {reason}")
    if data is not None:
        check_size(data, source)
        data.prepare(progress)
        source = for_dataset(source, data)
    with tempfile.TemporaryDirectory(prefix="edgerig-shapes-") as scratch:
        if shapes:
            source = with_fixed_shapes(source, shapes, Path(scratch))
        if data is not None:
            source = with_likely_layout(source, data)
        steps, failures = compile_chains(chains, source, out, data, progress)
    rows = size_table(
        (f"original ({source.format})", source.size),
        [(SEED_NAMES.get(step.compiler, step.compiler), step.payload) for step in steps],
    )
    if as_json:
        print_json(_document(source, steps, rows, failures, explain))
    _show(steps, rows, explain)
    if failures:
        raise _error(failures)


def _show(steps: list[CompiledFile], rows: list[SizeRow], explain: bool) -> None:
    """Files, sizes, fronts and, where asked for, kernels."""
    for step in steps:
        echo(f"{step.compiler}: {step.artifact.path}")
    if steps:
        echo()
        echo(_size_text(rows))
    _show_fronts(steps)
    if explain:
        _explain(steps)
    else:
        _show_notes(steps)


def _show_notes(steps: list[CompiledFile]) -> None:
    """What is worth knowing of generated C, which ``--explain`` tells with the rest."""
    from edgerig.cli.explain_view import note_lines, read_manifest

    for step in steps:
        if step.artifact.format == C_SOURCE:
            for line in note_lines(read_manifest(Path(step.artifact.path).parent)):
                echo(line)


def _show_fronts(steps: list[CompiledFile]) -> None:
    """What the searches among ``steps`` went through."""
    from edgerig.cli.front_view import front_lines

    for step in steps:
        for line in front_lines(step.artifact, terminal_width(sys.stderr)):
            echo(line)


def _size_text(rows: list[SizeRow]) -> str:
    """The table of sizes as wide as the terminal is: where it is too narrow, a block for each file."""
    from edgerig.compilers.sizes import HEADINGS, render_size_table, size_cells

    text, width = render_size_table(rows), terminal_width(sys.stderr)
    if max(map(len, text.splitlines())) <= width:
        return text
    columns = [Column(name, right=bool(name)) for name in HEADINGS]
    return "\n".join(render_table(columns, size_cells(rows), width))


def _check_explained(chains: Chains) -> None:
    from edgerig.errors import UsageError

    if all(chain[-1].makes != C_SOURCE for chain in chains.steps):
        raise UsageError("--explain tells of kernels of C code, and none is made.", "Add --to c.")


def _explain(steps: list[CompiledFile]) -> None:
    from edgerig.cli.explain_view import counted, explanation, read_manifest

    for step in steps:
        if step.artifact.format == C_SOURCE:
            echo()
            folder = Path(step.artifact.path).parent
            manifest = read_manifest(folder)
            for line in explanation(manifest, counted(folder, manifest), terminal_width(sys.stderr)):
                echo(line)


def _dataset(name: str | None, options: tuple[str, ...], root: Path | None, task: str | None) -> Dataset | None:
    from edgerig import plugins
    from edgerig.datasets.base import Dataset
    from edgerig.errors import UsageError
    from edgerig.tasks.base import Task

    if name is None:
        if options or root is not None or task is not None:
            raise UsageError(
                "--dataset-option, --dataset-root and --task go with --dataset.", "Name one: --dataset mnist."
            )
        return None
    data = plugins.make("dataset", name, Dataset, parse_dataset_settings(options, root))
    if task is not None:
        data.task = plugins.find("task", task, Task).name
    return data


def _document(
    source: Artifact, steps: list[CompiledFile], rows: list[SizeRow], failures: list[Failure], explain: bool
) -> dict[str, Any]:
    from edgerig.cli.explain_view import counted_layers

    return {
        "original": source,
        "artifacts": [
            {
                "compiler": step.compiler,
                "path": step.artifact.path,
                "description": str(_description(step.artifact)),
                "bytes": step.payload,
                "seconds": step.artifact.origins[-1].seconds,
                "artifact": step.artifact,
                **(
                    {"layers": counted_layers(Path(step.artifact.path).parent)}
                    if explain and step.artifact.format == C_SOURCE
                    else {}
                ),
            }
            for step in steps
        ],
        "sizes": rows,
        "failures": failures,
    }


def _description(artifact: Artifact) -> Path:
    """Where a file's description lies; C code brings its own."""
    from edgerig.artifact import sidecar_path

    path = Path(artifact.path)
    return sidecar_path(path) if sidecar_path(path).is_file() else path


def _error(failures: list[Failure]) -> EdgerigError:
    from edgerig.errors import CompileError, ForeignTraceback

    if len(failures) == 1:
        error = CompileError(failures[0].message, failures[0].hint)
    else:
        lines = "\n".join(f"  - {failure.compiler}: {failure.message}" for failure in failures)
        error = CompileError(f"{len(failures)} compilers failed:\n{lines}", "What the others made is kept.")
    traces = [failure.trace for failure in failures if failure.trace is not None]
    if traces:
        error.__cause__ = ForeignTraceback("\n".join(traces))
    return error
