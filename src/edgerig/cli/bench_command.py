"""``edgerig bench``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from edgerig.cli.console import ConsoleProgress, echo, print_json
from edgerig.cli.options import parse_options


@click.command(name="bench")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--dataset", default="random", show_default=True, help="What to run; `edgerig list datasets` names them.")
@click.option("--dataset-option", multiple=True, metavar="KEY=VALUE", help="A setting of the dataset.")
@click.option(
    "--dataset-root", type=click.Path(path_type=Path), help="Folder of the dataset's files, where it has one."
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="local, tcp://HOST:PORT, sim:stm32f746 ..; may be repeated.  [default: local]",
)
@click.option(
    "--target-option", multiple=True, metavar="KEY=VALUE",
    help="A setting of the targets, such as tls=lab/laptop or baud=921600: `edgerig list targets NAME`.",
)  # fmt: skip
@click.option("--runtime", "runtimes", multiple=True, help="litert, onnxruntime, tflm, micro; may be repeated.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads for the engine.")
@click.option("--samples", type=click.IntRange(min=1), help="Test samples to run.  [default: 1000, or all]")
@click.option(
    "--warmup", type=click.IntRange(min=0), default=20, show_default=True, help="Inferences before measuring."
)
@click.option("--reference", type=click.Path(path_type=Path), help="Float model file to compare predictions with.")
@click.option("--no-profile", is_flag=True, help="Take no per-operator profile.")
@click.option("--out", type=click.Path(path_type=Path), help="The bundle's folder.  [default: runs/bench-<model>]")
@click.option("--resume", is_flag=True, help="Go on with the unfinished run in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON document.")
def command(model: Path, out: Path | None, resume: bool, as_json: bool, **given: Any) -> None:
    """Measure the file MODEL (.tflite, .onnx) on one or more targets, without a rig file.

    Without --dataset it runs random inputs of the network's shape: speed and memory, but no quality.

    \b
    Examples:
      edgerig bench net.tflite
      edgerig bench net.tflite --dataset mnist --samples 500
      edgerig bench net.tflite --dataset mnist --target tcp://raspberrypi:7433 --out runs/pi --json
      edgerig bench net_int8.tflite --dataset mnist --runtime litert --runtime tflm --reference net.tflite
    """
    from edgerig.cli.finish import finish
    from edgerig.cli.signals import stop_on_termination
    from edgerig.engine.api import plan as make
    from edgerig.engine.api import run

    plan = make(_rig(model, given))
    stop_on_termination()
    folder = out if out is not None else Path("runs") / f"bench-{model.stem}"
    words = shlex.join(["edgerig", *sys.argv[1:]])
    result = run(plan, out=folder, resume=resume, progress=ConsoleProgress(), command=words)
    finish(folder, result)
    if as_json:
        print_json(result)
    else:
        echo(f"Report: {folder / 'report.html'}")


def _rig(model: Path, given: dict[str, Any]) -> dict[str, Any]:
    """The rig that the options describe."""
    from edgerig.models.files import open_artifact

    artifact = open_artifact(model)
    dataset = {"use": given["dataset"], **parse_options(given["dataset_option"], "--dataset-option")}
    if given["dataset_root"] is not None:
        dataset["root"] = str(given["dataset_root"])
    if dataset["use"] == "random":
        dataset.setdefault("shape", list(artifact.inputs[0].shape[1:]))
        dataset.setdefault("samples", given["samples"] or 1000)
    reference = given["reference"]
    return {
        "name": f"bench-{model.stem}",
        "model": {"file": str(model), **({"reference": str(reference)} if reference else {})},
        "dataset": dataset,
        "matrix": _matrix(model, artifact.format, given),
        "measure": {
            "warmup": given["warmup"],
            "profile": not given["no_profile"],
            **({"samples": given["samples"]} if given["samples"] else {}),
        },
    }


def _matrix(model: Path, format: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    """The runtimes that were asked for on every target; where none were, the one that is usual there."""
    from edgerig.engine.reference import RUNTIMES
    from edgerig.errors import IncompatibleError
    from edgerig.targets.resolve import default_runtime

    threads = {"threads": given["threads"]} if given["threads"] != 1 else {}
    settings = parse_options(given["target_option"], "--target-option")
    blocks: dict[tuple[str, ...], list[Any]] = {}
    for target in given["targets"] or ("local",):
        runtimes = given["runtimes"]
        if not runtimes:
            usual = default_runtime(target) or RUNTIMES.get(format)
            if usual is None:
                raise IncompatibleError(
                    f"{model.name} is a {format} file, which no runtime runs as it is.",
                    f"Compile it first: edgerig compile {model} --to float32",
                )
            runtimes = (usual,)
        blocks.setdefault(tuple(runtimes), []).append({"use": target, **settings} if settings else target)
    return [
        {"runtimes": [{"use": name, **threads} for name in runtimes], "targets": targets}
        for runtimes, targets in blocks.items()
    ]
