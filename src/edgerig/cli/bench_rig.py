"""The rig that the options of ``edgerig bench`` describe, and those of commands that measure as it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgerig.cli.bench_inputs import ends_of, has_size, image_size, layout_of, random_settings
from edgerig.cli.compiler_options import able_runtimes, compiler_entries, output_of, without_runtime
from edgerig.cli.load_options import LOAD_OPTIONS
from edgerig.cli.options import (
    custom_layers,
    parse_dataset_settings,
    parse_options,
    parse_ranges,
    parse_shapes,
    parse_states,
)
from edgerig.errors import IncompatibleError, UsageError
from edgerig.formats import named
from edgerig.models.declared import with_state
from edgerig.models.files import open_artifact
from edgerig.plugins import find
from edgerig.results.naming import folder_name
from edgerig.results.variant_names import distinct_names
from edgerig.runtimes.base import Runtime
from edgerig.targets.resolve import usual_runtime


def bench_rig(models: Sequence[Path], options: dict[str, Any]) -> dict[str, Any]:
    """The rig that the options describe."""
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
    files = list(zip(names, models, (artifact.format for artifact in artifacts), strict=True))
    return {
        "name": _run_name(models),
        **({"model": parts[0]} if len(parts) == 1 else {"models": parts}),
        "dataset": dataset,
        **_task(options.get("task"), options.get("task_option", ())),
        "matrix": _matrix(files, options),
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
