"""``edgerig compile``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from edgerig.cli.compiler_options import compiler_names
from edgerig.cli.console import ConsoleProgress, print_json
from edgerig.cli.options import (
    custom_layers,
    custom_option,
    dataset_settings,
    find_here,
    layout_option,
    load_format,
    load_plugins,
    make_dataset,
    model_format_option,
    parse_dataset_settings,
    parse_options,
    parse_shapes,
    shape_option,
)

if TYPE_CHECKING:
    from edgerig.artifact import Artifact, Layout
    from edgerig.compilers.chains import Chains, CompiledFile, Failure
    from edgerig.datasets.base import Dataset

RANDOM = "random"
#: The names that the size table of the STM32 digit project gives to these.
SEED_NAMES = {"float32": "none (float32)", "dynamic": "size (dynamic)"}


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
    "--dataset",
    metavar="NAME",
    help="What to calibrate or train with (its training split); `edgerig list datasets` names them. random takes the "
    "network's shape, and gives a network whose speed and size are right, not its quality.",
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
@model_format_option
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
    out: Path,
    explain: bool,
    as_json: bool,
    model_format: str | None,
    **options: Any,
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
    from edgerig.cli.compile_view import document_of, error_of, show
    from edgerig.compilers.sizes import size_table

    load_format(model_format)
    job = _plan(model, targets, **options)
    if explain:
        _check_explained(job.chains)
    source, steps, failures = _compile(job, out)
    rows = size_table(
        (f"original ({source.format})", source.size),
        [(SEED_NAMES.get(step.compiler, step.compiler), step.payload) for step in steps],
    )
    if as_json:
        print_json(document_of(source, steps, rows, failures, explain))
    show(steps, rows, explain)
    if failures:
        raise error_of(failures)


class _Job(NamedTuple):
    """What is to be compiled: the chains, the network as it was declared, shapes to fix by input, and the dataset."""

    chains: Chains
    source: Artifact
    shapes: dict[str, list[int]]
    data: Dataset | None


def _plan(
    model: Path,
    targets: tuple[str, ...],
    *,
    dataset: str | None,
    dataset_option: tuple[str, ...],
    dataset_root: Path | None,
    task: str | None,
    options: tuple[str, ...],
    custom: str | None,
    layout: Layout | None,
    shape: tuple[str, ...],
    **short: str | None,
) -> _Job:
    """What the options ask for, checked before anything is compiled.

    Args:
        short: Settings of compilers that have an option of their own: ``cpu``, ``optimize``, ``budget``, ``name``.
    """
    from edgerig.cli.bench_inputs import random_settings
    from edgerig.compilers.chains import plan_chains
    from edgerig.models.declared import declare
    from edgerig.models.files import open_artifact

    compilers = compiler_names(targets)
    find_here(*compilers, *([dataset] if dataset else []), *([task] if task else []))
    load_plugins("compiler", compilers)
    data = _dataset(dataset, dataset_option, dataset_root, task)
    given = parse_dataset_settings(dataset_option, dataset_root)
    source = declare(open_artifact(model, options=custom_layers(custom)), layout)
    shapes = parse_shapes(shape, [source.inputs])
    settings = {key: value for key, value in short.items() if value is not None}
    chains = plan_chains(targets, {**settings, **parse_options(options, "--option")}, source, data)
    if dataset == RANDOM and not {"shape", "inputs"} & given.keys():
        # As in bench: samples of the network's shape; nobody asks for them where nothing is calibrated.
        fit = random_settings([model], [source], shapes, [layout], {}) if chains.need_dataset else None
        data = make_dataset(RANDOM, dataset_option, dataset_root, task, fit) if fit is not None else None
    return _Job(chains, source, shapes, data)


def _compile(job: _Job, out: Path) -> tuple[Artifact, list[CompiledFile], list[Failure]]:
    """The network as it went into the compilers, what they made of it in ``out``, and those that failed."""
    from edgerig.compilers.chains import compile_chains, for_dataset
    from edgerig.datasets.fitting import check_size
    from edgerig.models.declared import with_fixed_shapes, with_likely_layout

    source, data, progress = job.source, job.data, ConsoleProgress()
    for reason in job.chains.skipped:
        progress.log(f"left out {reason}")
    if data is not None:
        check_size(data, source)
        data.prepare(progress)
        source = for_dataset(source, data)
    with tempfile.TemporaryDirectory(prefix="edgerig-shapes-") as scratch:
        if job.shapes:
            source = with_fixed_shapes(source, job.shapes, Path(scratch))
        if data is not None:
            source = with_likely_layout(source, data)
        return source, *compile_chains(job.chains, source, out, data, progress)


def _dataset(name: str | None, options: tuple[str, ...], root: Path | None, task: str | None) -> Dataset | None:
    from edgerig.errors import UsageError

    if name is None:
        if options or root is not None or task is not None:
            raise UsageError(
                "--dataset-option, --dataset-root and --task go with --dataset.", "Name one: --dataset mnist."
            )
        return None
    return make_dataset(name, options, root, task)


def _check_explained(chains: Chains) -> None:
    from edgerig.cli.compile_view import C_SOURCE
    from edgerig.errors import UsageError

    if all(chain[-1].makes != C_SOURCE for chain in chains.steps):
        raise UsageError("--explain tells of kernels of C code, and none is made.", "Add --to c.")
