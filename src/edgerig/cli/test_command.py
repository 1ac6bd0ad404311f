"""``edgerig test``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerig.cli.console import echo, print_json
from edgerig.cli.device_options import (
    runtime_settings,
    runtimes_option,
    target_settings,
    targets_option,
    threads_option,
)
from edgerig.cli.load_options import LOAD_OPTIONS
from edgerig.cli.options import (
    custom_option,
    dataset_settings,
    find_here,
    layout_option,
    load_format,
    load_plugins,
    model_format_option,
    rounds_option,
    shape_option,
)

if TYPE_CHECKING:
    from edgerig.results.types import RunResult

#: Options of `edgerig bench` that a test leaves as they are.
_OF_BENCH: dict[str, Any] = {
    "warmup": 20,
    "seconds": None,
    "no_profile": True,
    "ranges": (),
    "states": (),
    **dict.fromkeys(LOAD_OPTIONS),
}


@click.command(name="test")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    required=True,
    metavar="NAME",
    help="A dataset by name (`edgerig list datasets`), or the address of a version of one.",
)
@dataset_settings
@targets_option
@target_settings
@runtimes_option
@runtime_settings
@threads_option
@click.option("--samples", type=click.IntRange(min=1), help="Test samples to run.  [default: all]")
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Samples of a batch.  [default: the file's own]")
@click.option("--task", metavar="NAME", help="What judges, instead of the dataset's own task.")
@click.option("--task-option", multiple=True, metavar="KEY=VALUE", help="A setting of --task; may be repeated.")
@rounds_option
@click.option(
    "--reference", metavar="FILE", type=click.Path(path_type=Path), help="Float model file to compare predictions with."
)
@model_format_option
@custom_option
@layout_option
@shape_option
@click.option("--output", metavar="NAME", help="The output to judge, of a network that has several.")
@click.option("--name", metavar="NAME", help="Of the series that the test belongs to.  [default: the file's name]")
@click.option("--description", default="", metavar="TEXT", help="Anything that the record is to say.")
@click.option(
    "--history",
    default="runs/tests",
    show_default=True,
    metavar="ADDRESS",
    help="Where the test is recorded: a folder that others may write, too, or an address in a store.",
)
@click.option(
    "--out",
    metavar="DIRECTORY",
    type=click.Path(path_type=Path),
    help="The bundle's folder.  [default: runs/test-<name>-<time>]",
)
@click.option("--resume", is_flag=True, help="Go on with the unfinished run in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as one JSON document.")
def command(
    model: Path,
    name: str | None,
    description: str,
    history: str,
    out: Path | None,
    resume: bool,
    as_json: bool,
    model_format: str | None,
    **options: Any,
) -> None:
    """Run a dataset's test split through MODEL on a device, and record how good and how fast it was.

    Measures as `edgerig bench` does, into a bundle of its own, and appends a record to a history: date, network,
    dataset, accuracy, similarity by class and in total, confusion, images, seconds an image, batch, device. A record
    is a file that is created once, so that any number of machines may append at the same time. If the history cannot
    be reached, the record is kept on this machine and sent with the next test.

    \b
    Examples:
      edgerig test build/unet_int8.tflite --dataset data/street@2
      edgerig test net.tflite --dataset mnist --target tcp://raspberrypi:7433 --history s3://lab/tests
      edgerig test net.onnx --dataset mnist --name nightly --description "after pruning"
      edgerig history list
      edgerig history export tests.json
    """
    from edgerig.cli.bench_rig import bench_rig
    from edgerig.cli.finish import run_plan
    from edgerig.engine.api import plan as make
    from edgerig.errors import EdgerigError, Interrupted, UsageError

    if resume and out is None:
        raise UsageError("--resume goes on in the folder --out.", "Name it: --out runs/test-..")
    find_here(options["dataset"], options["task"] or "", *options["runtimes"], *options["targets"])
    load_format(model_format)
    load_plugins("runtime", options["runtimes"])
    offline = {"scenario": "offline" if options["batch"] else "single-stream"}
    rig = bench_rig([model], {**_OF_BENCH, **options, **offline})
    rig["name"] = _run_name(model, name)
    if options["samples"] is None:
        rig["measure"]["samples"] = None
    plan = make(rig)
    _look_at(history)
    folder = out if out is not None else _own_folder(rig["name"])
    texts = {"name": name or model.stem, "description": description, "address": options["dataset"]}
    try:
        result = run_plan(plan, folder, resume=resume, as_json=False)
    except Interrupted:
        raise
    except EdgerigError as error:
        if error.bundle is not None:
            _record_measured(Path(error.bundle), history, texts)
        raise
    _record(result, history, texts, as_json=as_json)


def _look_at(history: str) -> None:
    """Refuse an address that is none before anything is measured; one that cannot be reached is only told.

    Raises:
        UsageError: The address is not valid, there are no keys for it, or its client is not installed.
    """
    from edgerig.errors import StorageError
    from edgerig.results.tests.unsent import open_to_write

    try:
        open_to_write(history).names()
    except StorageError as error:
        echo(f"(!) The history {history} cannot be reached now: {error.message} The test will be kept on this machine.")


def _run_name(model: Path, name: str | None) -> str:
    from edgerig.results.naming import folder_name

    return f"test-{folder_name(name or model.stem)}"


def _own_folder(run: str) -> Path:
    """A new folder in ``runs``: many tests of one name are run, some at the same time."""
    import secrets
    from datetime import UTC, datetime

    from edgerig.engine.api import DEFAULT_OUT

    return DEFAULT_OUT / f"{run}-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _settled(address: str, result: RunResult) -> str:
    """A dataset's address with the number of the version that was tested, where it names none."""
    number = str(result.dataset.options.get("address", "")).rpartition("@")[2]
    open_ended = "/" in address and not address.endswith(f"@{number}")
    return f"{address}@{number}" if number.isdigit() and open_ended else address


def _record(result: RunResult, history: str, texts: dict[str, str], *, as_json: bool = False) -> None:
    """Append the cells of a run to the history, and tell what they were."""
    from edgerig.results.commit import current_commit
    from edgerig.results.tests.make import records_of
    from edgerig.results.tests.unsent import lines_of, record_tests

    texts = {**texts, "address": _settled(texts["address"], result)}
    records = records_of(result, **texts, commit=current_commit())
    sent = record_tests(history, records)
    if as_json:
        print_json({"history": history, "sent": sent.kept is None, "tests": records})
    for line in lines_of(sent, history):
        echo(line)


def _record_measured(bundle: Path, history: str, texts: dict[str, str]) -> None:
    """Record those cells of a failed run that were measured as planned."""
    from msgspec.structs import replace

    from edgerig.errors import StorageError
    from edgerig.results.bundle import Bundle

    try:
        result = Bundle(bundle).result()
        failed = {failure.id for failure in result.failures}
        whole = tuple(cell for cell in result.cells if cell.id not in failed)
        _record(replace(result, cells=whole), history, texts)
    except StorageError as error:
        echo(f"(!) Nothing was recorded: {error.message}")
