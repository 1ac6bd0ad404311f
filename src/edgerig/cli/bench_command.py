"""``edgerig bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgerig.cli.compiler_options import (
    compiler_names,
)
from edgerig.cli.console import print_json
from edgerig.cli.device_options import (
    runtime_settings,
    runtimes_option,
    target_settings,
    targets_option,
    threads_option,
)
from edgerig.cli.load_options import load_options
from edgerig.cli.options import (
    FiniteRange,
    custom_option,
    dataset_option,
    dataset_settings,
    find_here,
    layout_option,
    load_format,
    load_plugins,
    model_format_option,
    rounds_option,
    shape_option,
)


@click.command(name="bench")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@dataset_option
@dataset_settings
@targets_option
@target_settings
@runtimes_option
@runtime_settings
@click.option(
    "--compile",
    "compilers",
    multiple=True,
    metavar="COMPILER[+COMPILER]",
    help="Compile each MODEL first, by a compiler or a chain such as prune+int8; may be repeated, none: as it is.",
)
@click.option(
    "--compile-option",
    multiple=True,
    metavar="[COMPILER.]KEY=VALUE",
    help="A setting of the compilers of --compile that have it, or of one of them.",
)
@threads_option
@click.option("--samples", type=click.IntRange(min=1), help="Test samples to run.  [default: 1000, or all]")
@click.option(
    "--scenario",
    type=click.Choice(["single-stream", "offline", "streams", "server"]),
    default="single-stream",
    show_default=True,
    help="How samples come: one by one; all there, in batches; one by one on several sessions; at random times.",
)
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Samples of a batch, in the scenario offline.")
@load_options
@click.option(
    "--warmup",
    metavar="N",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Inferences before measuring.",
)
@click.option("--task", metavar="NAME", help="What judges, instead of the dataset's own task: none for speed alone.")
@click.option(
    "--task-option",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of --task, such as threshold=0.6 or hop=0.02: `edgerig list tasks NAME`; may be repeated.",
)
@rounds_option
@click.option(
    "--seconds",
    metavar="SECONDS",
    type=FiniteRange(min=0),
    help="Inference that the rounds of a cell measure together, by running samples again; 0: each once.  [default: 1]",
)
@click.option(
    "--reference", metavar="FILE", type=click.Path(path_type=Path), help="Float model file to compare predictions with."
)
@model_format_option
@custom_option
@layout_option
@shape_option
@click.option(
    "--range",
    "ranges",
    multiple=True,
    metavar="[INPUT=]LOW,HIGH",
    help="Range of a random input, such as the indices of a table: ids=0,29999; may be repeated.",
)
@click.option("--output", metavar="NAME", help="The output to judge, of a network that has several.")
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="INPUT=OUTPUT",
    help="An input that takes an output of the inference before, 0 at the beginning; may be repeated.",
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Only cells whose id matches, such as 'a-*'.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--no-profile", is_flag=True, help="Take no per-operator profile.")
@click.option(
    "--out",
    metavar="DIRECTORY",
    type=click.Path(path_type=Path),
    help="The bundle's folder.  [default: runs/bench-<model>]",
)
@click.option("--resume", is_flag=True, help="Go on with the unfinished run in --out.")
@click.option("--open", "open_page", is_flag=True, help="Open the report in the browser when all is measured.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON document.")
def command(
    models: tuple[Path, ...],
    out: Path | None,
    resume: bool,
    open_page: bool,
    as_json: bool,
    only: tuple[str, ...],
    dry_run: bool,
    model_format: str | None,
    **options: Any,
) -> None:
    """Measure each file MODEL (.tflite, .onnx, or of a plugin's format) on one or more targets, without a rig file.

    Several files are variants of one run: they take the same samples, and keep their files' names. Without --dataset
    it runs random inputs of the network's shape: speed and memory, but no quality.

    Predictions are compared with those of --reference. Without it a float file is compared with itself, and another
    with the float file that its description says it was made from, or else with the only float file beside it.

    \b
    Examples:
      edgerig bench net.tflite
      edgerig bench net.tflite --dataset mnist --samples 500
      edgerig bench net.tflite net_int8.tflite net.onnx --dataset mnist --out runs/all
      edgerig bench net.tflite --scenario offline --batch 8 --json
      edgerig bench net.tflite --scenario streams --streams 4
      edgerig bench net.tflite --scenario server --latency-bound "50 ms"
      edgerig bench net.tflite --dataset mnist --target tcp://raspberrypi:7433 --out runs/pi --json
      edgerig bench net_int8.tflite --dataset mnist --runtime litert --runtime tflm --reference net.tflite
      edgerig bench net.keras --dataset mnist --compile int8 --compile prune+int8 --compile-option prune.share=0.8
    """
    from edgerig.cli.bench_rig import bench_rig
    from edgerig.cli.plan_view import plan_rows, show_plan
    from edgerig.engine.api import plan as make

    find_here(options["dataset"], options["task"] or "", *options["runtimes"], *options["targets"])
    load_format(model_format)
    load_plugins("runtime", options["runtimes"])
    find_here(*compiler_names(options["compilers"]))
    plan = make(bench_rig(models, options), only=only)
    if dry_run or len(models) > 1:
        show_plan(plan)
    if dry_run:
        if as_json:
            print_json(plan_rows(plan))
        return
    from edgerig.cli.finish import run_plan

    run_plan(plan, out, resume=resume, as_json=as_json, open_page=open_page)
