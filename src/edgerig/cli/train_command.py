"""``edgerig train``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.console import ConsoleProgress, echo, print_json
from edgerig.cli.options import FiniteRange, dataset_settings, find_here, make_dataset, parse_options

if TYPE_CHECKING:
    from edgerig.artifact import Artifact

#: Results in the ``options`` of a training's origin; see `edgerig.testing.contracts.model.ModelContract`.
RESULTS = ("accuracy", "mae", "loss", "test_samples", "parameters", "warning")

POSITIVE = FiniteRange(min=0, min_open=True)


@click.command(name="train")
@click.argument("model")
@click.option("--dataset", metavar="NAME", required=True, help="What to learn; `edgerig list datasets` names them.")
@dataset_settings
@click.option(
    "--task", metavar="NAME", help="What the dataset's labels are for, instead of its own task: regression .."
)
@click.option("--model-option", multiple=True, metavar="KEY=VALUE", help="A setting of the model.")
@click.option(
    "--epochs",
    type=click.IntRange(min=0),
    help="Passes over the training split; 0: an untrained network.  [default: 3]",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples a step.  [default: 32]")
@click.option("--learning-rate", metavar="RATE", type=POSITIVE, help="Step size of Adam.  [default: 0.001]")
@click.option(
    "--learning-rate-decay",
    metavar="FACTOR",
    type=FiniteRange(min=0, max=1, min_open=True),
    help="Factor on the learning rate after each epoch.  [default: 1.0]",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of weights and shuffling.  [default: 1]")
@click.option("--train-samples", type=click.IntRange(min=1), help="Use only the first so many samples.  [default: all]")
@click.option(
    "--logdir", type=click.Path(path_type=Path, file_okay=False), help="Folder for TensorBoard's event files."
)
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in --out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/train"),
    show_default=True,
    help="Folder for the model, its description, its history and the checkpoint.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came out as one JSON document.")
def command(
    model: str,
    dataset: str,
    dataset_option: tuple[str, ...],
    dataset_root: Path | None,
    task: str | None,
    model_option: tuple[str, ...],
    logdir: Path | None,
    resume: bool,
    out: Path,
    as_json: bool,
    **settings: Any,
) -> None:
    """Train MODEL on a dataset and judge it on the dataset's test split.

    \b
    It leaves in --out:
      MODEL.keras or .pt2    the network, and beside it .json, its description
      MODEL.history.json     losses and accuracies, epoch by epoch
      MODEL.checkpoint.npz   what --resume goes on from; written after each epoch

    Equal settings and seed give equal weights on the same machine, interrupted and resumed or not.
    `edgerig list models` names the models, `edgerig list models MODEL` the settings for --model-option.

    \b
    Examples:
      edgerig train mnist-cnn --dataset mnist --epochs 3 --out runs/train
      edgerig train mnist-cnn --dataset mnist --epochs 20 --logdir runs/logs --resume
      edgerig train resnet8 --dataset cifar10 --epochs 30 --learning-rate-decay 0.9
      edgerig train mobilenetv2 --dataset folder --dataset-root photos --model-option alpha=0.5
      edgerig train mlp --dataset houses.csv --task regression --model-option values=8
    """
    from edgerig.models.base import ModelWrapper, TrainSettings
    from edgerig.plugins import make
    from edgerig.settings import convert_settings

    find_here(model, dataset, *([task] if task else []))
    wrapper = make("model", model, ModelWrapper, parse_options(model_option, "--model-option"))
    data = make_dataset(dataset, dataset_option, dataset_root, task)
    chosen = {**wrapper.usual, **{key: value for key, value in settings.items() if value is not None}}
    training = convert_settings(TrainSettings, chosen, "edgerig train")
    assert isinstance(training, TrainSettings)
    artifact = wrapper.train(data, training, out, resume=resume, logdir=logdir, progress=ConsoleProgress())
    if as_json:
        print_json(_summary(artifact))
    else:
        _tell(artifact, dataset, dataset_option, dataset_root, task, logdir)


def _summary(artifact: Artifact) -> dict[str, Any]:
    from edgerig.artifact import sidecar_path

    path = Path(artifact.path)
    origin = artifact.origins[-1]
    return {
        "path": str(path),
        "description": str(sidecar_path(path)),
        **{key: origin.options[key] for key in RESULTS if key in origin.options},
        "untrained": artifact.untrained,
        "seconds": origin.seconds,
        "artifact": artifact,
    }


def _tell(
    artifact: Artifact,
    dataset: str,
    dataset_option: tuple[str, ...],
    dataset_root: Path | None,
    task: str | None,
    logdir: Path | None,
) -> None:
    """Say where the model is, how good, and what to do next."""
    path = Path(artifact.path)
    result = artifact.origins[-1].options
    echo(f"Model:    {path} ({result['parameters']:,} parameters, {artifact.size:,} B)")
    if artifact.untrained:
        echo("Accuracy: none, the network was not trained: good for speed, size and memory alone")
    else:
        figure = (
            f"Accuracy: {result['accuracy']:.2%}"
            if "accuracy" in result
            else f"Error:    {result['mae']:.4g} (mean absolute error)"
        )
        echo(f"{figure} on {result['test_samples']:,} test samples that it never saw")
        if "warning" in result:
            echo(f"(!)       {result['warning']}")
    if logdir is not None:
        echo(f"Curves:   tensorboard --logdir {shlex.quote(str(logdir))}")
    # TFLite of a network in PyTorch needs another extra, and TFLite of ONNX nothing makes.
    target = "int8" if artifact.format in ("keras", "tflite") else "onnx-int8"
    words = ["edgerig", "compile", str(path), "--to", target, "--dataset", dataset]
    for option in dataset_option:
        words += ["--dataset-option", option]
    if dataset_root is not None:
        words += ["--dataset-root", str(dataset_root)]
    if task is not None:
        words += ["--task", task]
    echo(f"Next:     {shlex.join([*words, '--out', 'build'])}")
