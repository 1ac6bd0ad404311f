"""``edgerig bench``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.compiler_options import (
    able_runtimes,
    compiler_entries,
    compiler_names,
    output_of,
    usual_runtime,
    without_runtime,
)
from edgerig.cli.console import print_json
from edgerig.cli.load_options import LOAD_OPTIONS, load_options
from edgerig.cli.options import (
    FiniteRange,
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
    parse_ranges,
    parse_shapes,
    parse_states,
    rounds_option,
    shape_option,
)
from edgerig.errors import UsageError

if TYPE_CHECKING:
    pass


@click.command(name="bench")
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dataset", default="random", show_default=True, help="What to run; `edgerig list datasets` names them.")
@dataset_settings
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="local, tcp://HOST:PORT, sim:stm32f746 ..; may be repeated.  [default: local]",
)
@click.option(
    "--target-option",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the targets, such as tls=lab/laptop or baud=921600: `edgerig list targets NAME`.",
)
@click.option("--runtime", "runtimes", multiple=True, help="litert, onnxruntime, tflm, micro; may be repeated.")
@click.option(
    "--runtime-option",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the runtimes, such as provider=CUDAExecutionProvider or delegate=./mine.so: `edgerig list "
    "runtimes NAME`.",
)
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
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads for the engine.")
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
    "--warmup", type=click.IntRange(min=0), default=20, show_default=True, help="Inferences before measuring."
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
    type=FiniteRange(min=0),
    help="Inference that the rounds of a cell measure together, by running samples again; 0: each once.  [default: 1]",
)
@click.option("--reference", type=click.Path(path_type=Path), help="Float model file to compare predictions with.")
@format_option
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
@click.option("--out", type=click.Path(path_type=Path), help="The bundle's folder.  [default: runs/bench-<model>]")
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
    format_: str | None,
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
    from edgerig.cli.plan_view import plan_rows, show_plan
    from edgerig.engine.api import plan as make

    find_here(options["dataset"], options["task"] or "", *options["runtimes"], *options["targets"])
    load_format(format_)
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


def bench_rig(models: Sequence[Path], options: dict[str, Any]) -> dict[str, Any]:
    """The rig that the options describe."""
    from edgerig.cli.bench_inputs import ends_of, has_size, image_size, layout_of, random_settings
    from edgerig.models.declared import with_state
    from edgerig.models.files import open_artifact
    from edgerig.results.variant_names import distinct_names

    custom = custom_layers(options.get("custom"))
    state = parse_states(options.get("states", ()))
    artifacts = [with_state(open_artifact(model, options=custom), state) for model in models]
    shapes = parse_shapes(options["shape"], [artifact.inputs for artifact in artifacts])
    several = len(models) > 1
    layouts = [layout_of(artifact, options["layout"], several) for artifact in artifacts]
    settings = parse_dataset_settings(options["dataset_option"], options["dataset_root"])
    dataset = {"use": options["dataset"], **settings}
    if dataset["use"] == "random":
        ranges = parse_ranges(options["ranges"], [artifact.inputs for artifact in artifacts])
        if not {"shape", "inputs"} & dataset.keys():
            dataset |= random_settings(models, artifacts, shapes, layouts, ranges)
        dataset.setdefault("samples", options["samples"] or 1000)
    elif (size := image_size(artifacts, shapes, layouts)) is not None and has_size(dataset["use"]):
        dataset.setdefault("size", size)
    reference = {"reference": str(options["reference"])} if options["reference"] else {}
    parts = [
        {"file": str(model), **custom, **reference, **ends_of(artifact, layout, options["output"], shapes, several)}
        for model, artifact, layout in zip(models, artifacts, layouts, strict=True)
    ]
    names = distinct_names([str(model) for model in models])
    named = list(zip(names, models, (artifact.format for artifact in artifacts), strict=True))
    return {
        "name": _run_name(models),
        **({"model": parts[0]} if len(parts) == 1 else {"models": parts}),
        "dataset": dataset,
        **_task(options.get("task"), options.get("task_option", ())),
        "matrix": _matrix(named, options),
        "measure": {
            "warmup": options["warmup"],
            "profile": not options["no_profile"],
            **({"samples": options["samples"]} if options["samples"] else {}),
            **({"rounds": options["rounds"]} if options["rounds"] else {}),
            **({"seconds": options["seconds"]} if options.get("seconds") is not None else {}),
            **({"scenario": options["scenario"]} if options["scenario"] != "single-stream" else {}),
            **({"batch": options["batch"]} if options["batch"] else {}),
            **{name: options[name] for name in LOAD_OPTIONS if options[name] is not None},
        },
    }


def _run_name(models: Sequence[Path]) -> str:
    """``bench-a-b``; of many files, ``bench-a-and-5-more``."""
    from edgerig.results.naming import folder_name

    stems = [model.stem for model in models]
    name = "bench-" + ("-".join(stems) if len(stems) <= 3 else f"{stems[0]}-and-{len(stems) - 1}-more")
    return name if name.isprintable() else folder_name(name)


def _task(name: str | None, settings: Sequence[str]) -> dict[str, Any]:
    """The rig's ``task``; nothing where the dataset's own is meant.

    Raises:
        UsageError: There are settings, and no task is named.
    """
    if not name:
        if settings:
            raise UsageError("--task-option is a setting of a task that is not named.", "Name it, too: --task NAME.")
        return {}
    return {"task": {"use": name, **parse_options(settings, "--task-option")} if settings else name}


def _matrix(models: Sequence[tuple[str, Path, str]], options: dict[str, Any]) -> list[dict[str, Any]]:
    """The runtimes that were asked for on every target; where none were, the one that is usual there.

    Args:
        models: Name, file and format of each. options: Of the command.
    """
    threads = {"threads": options["threads"]} if options["threads"] != 1 else {}
    own = parse_options(options["runtime_option"], "--runtime-option")
    settings = parse_options(options["target_option"], "--target-option")
    matrix = []
    for compiler in compiler_entries(options.get("compilers", ()), options.get("compile_option", ())):
        blocks: dict[tuple[str, ...], dict[str, list[str]]] = {}
        for target in options["targets"] or ("local",):
            for name, file, format in models:
                compiled = output_of(compiler, format)
                if compiled and not options["runtimes"] and usual_runtime(compiled, target) is None:
                    raise without_runtime(compiler, compiled, format)
                runtimes = _runtimes(file, compiled or format, target, options["runtimes"])
                blocks.setdefault(runtimes, {}).setdefault(target, []).append(name)
        matrix += [
            {
                **({"models": names} if len(names) < len(models) else {}),
                **({"compilers": [compiler]} if compiler is not None else {}),
                "runtimes": [{"use": runtime, **threads, **_custom(runtime, options), **own} for runtime in runtimes],
                "targets": [{"use": target, **settings} if settings else target for target in targets],
            }
            for runtimes, names, targets in _together(blocks)
        ]
    return matrix


def _custom(runtime: str, options: dict[str, Any]) -> dict[str, str]:
    """The setting ``--custom`` of the runtime that loads Keras files itself."""
    return {"custom": options["custom"]} if runtime == "keras" and options.get("custom") else {}


def _together(
    blocks: dict[tuple[str, ...], dict[str, list[str]]],
) -> list[tuple[tuple[str, ...], list[str], list[str]]]:
    """Runtimes, models and targets of each block, from models by target by runtimes."""
    result = []
    for runtimes, by_target in blocks.items():
        same: dict[tuple[str, ...], list[str]] = {}
        for target, names in by_target.items():
            same.setdefault(tuple(names), []).append(target)
        result += [(runtimes, list(names), targets) for names, targets in same.items()]
    return result


def _runtimes(file: Path, format: str, target: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """The runtimes of one file on one target: those of ``wanted`` that take its format, or its usual one.

    Raises:
        IncompatibleError: No runtime takes it.
    """
    from edgerig.errors import IncompatibleError
    from edgerig.formats import named
    from edgerig.plugins import find
    from edgerig.runtimes.base import Runtime

    if wanted:
        # If no runtime accepts it, the plan reports the reason of each.
        return tuple(name for name in wanted if format in find("runtime", name, Runtime).formats) or tuple(wanted)
    usual = usual_runtime(format, target)
    if usual is None:
        compiler = named(format).compiler
        raise IncompatibleError(
            f"{file.name} is a {format} file, of which there is no usual runtime.",
            f"Compile it first: edgerig compile {file} --to {compiler}. {able_runtimes(format)}."
            if compiler
            else f"{able_runtimes(format)}.",
        )
    return (usual,)
