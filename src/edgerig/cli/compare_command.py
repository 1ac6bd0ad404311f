"""``edgerig compare``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edgerig.cli.console import ConsoleProgress, echo, print_json
from edgerig.cli.device_options import runtime_settings, target_settings, threads_option
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
    shape_option,
)
from edgerig.errors import UsageError

if TYPE_CHECKING:
    from edgerig.cli.compare_sources import Source
    from edgerig.results.compare.quality import QualityOptions
    from edgerig.results.compare.types import Comparison
    from edgerig.rig.plan import Plan

#: Arguments and options of a comparison of what two bundles hold; all others say how to measure.
_COMPARING = (
    "a", "b", "only", "margin", "quality_margin", "quality_change", "names", "task", "page", "as_json", "live",
)  # fmt: skip
#: Those of a comparison of two rigs, which name models, devices, engines and data.
_OF_RIGS = (*(name for name in _COMPARING if name != "task"), "samples", "pairs", "out")


@click.command(name="compare")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@dataset_option
@dataset_settings
@click.option(
    "--target", default="local", show_default=True, metavar="ADDRESS", help="The one device that both run on."
)
@target_settings
@click.option(
    "--runtime",
    metavar="NAME",
    help="litert, onnxruntime, tflm, micro ..: `edgerig list runtimes`.  [default: the usual one of each file]",
)
@runtime_settings
@threads_option
@model_format_option
@custom_option
@layout_option
@shape_option
@click.option("--samples", type=click.IntRange(min=1), help="Test samples for quality.  [default: 1000, or all]")
@click.option("--only", multiple=True, metavar="PATTERN", help="Only cells whose id matches, of rigs and bundles.")
@click.option(
    "--margin",
    metavar="SHARE",
    type=FiniteRange(0, 1, min_open=True),
    default=0.02,
    show_default=True,
    help="Relative difference of latency that does not matter: 0.02 is 2 %.",
)
@click.option(
    "--quality-margin",
    metavar="SHARE",
    type=FiniteRange(0, 1, min_open=True),
    default=0.005,
    show_default=True,
    help="Of accuracy, mIoU, mAP and other shares, what B may lose: 0.005 is half a point.",
)
@click.option(
    "--quality-change",
    metavar="SHARE",
    type=FiniteRange(0, 1, min_open=True),
    default=0.02,
    show_default=True,
    help="The same of a quality that is no share, such as an MAE, relative to A's: 0.02 is 2 %.",
)
@click.option("--quality", "names", multiple=True, metavar="METRIC", help="Compare this metric beside the main one.")
@click.option(
    "--task", metavar="NAME", help="What judges, instead of the dataset's own task; of two bundles, a class of yours."
)
@click.option("--pairs", type=click.IntRange(4, 20), default=20, show_default=True, help="Pairs at most.")
@click.option("--live", is_flag=True, help="Measure the networks of two bundles anew, in pairs.")
@click.option(
    "--out",
    metavar="DIRECTORY",
    type=click.Path(path_type=Path),
    help="Where to keep what is measured.  [default: runs/compare]",
)
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write the comparison as a page to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as one JSON document.")
def command(a: str, b: str, as_json: bool, out: Path | None, live: bool, page: Path | None, **given: Any) -> None:
    """Tell whether B is slower, larger or worse than A.

    A and B are network files (.tflite, .onnx), rig files, bundles, or cells of bundles (BUNDLE#CELL). Files and rigs
    are measured live: pairs of fresh processes on one device take turns until a verdict stands, after A was compared
    with itself. Bundles are compared by the rounds that they hold; where both have them also by what was measured under
    load (throughput, highest rate within the bound, latency), and by the energy of an inference.

    A verdict is of B: slower or faster, worse or better by more than the margin; same, within it; or inconclusive,
    which passes nothing.

    \b
    Examples:
      edgerig compare a.tflite b.tflite --dataset mnist
      edgerig compare old.tflite new.tflite --target tcp://raspberrypi:7433 --json
      edgerig compare runs/old runs/new --html comparison.html
      edgerig compare runs/demo#float32-litert-local runs/demo#int8-litert-local
    """
    from edgerig.cli.compare_sources import read_source
    from edgerig.cli.compare_view import show_comparison

    find_here(given["dataset"], given["target"], *filter(None, [given["runtime"], given["task"]]))
    load_format(given.pop("model_format"))
    load_plugins("runtime", [*filter(None, [given["runtime"]])])
    first, second, context = read_source(a), read_source(b), click.get_current_context()
    words = shlex.join(["edgerig", *sys.argv[1:]])
    if first.bundle is None or second.bundle is None or live:
        folder = out if out is not None else Path("runs") / "compare"
        if first.is_rig and second.is_rig:
            own = "two rig files say that themselves"
            _refuse_others(context, _OF_RIGS, own, "Leave it out, and write it into both rig files.")
        result = _live(first, second, given, _named(context), folder, words)
    else:
        held = "two bundles are compared by the rounds that they hold"
        _refuse_others(context, _COMPARING, held, "Leave it out, or have their networks measured anew: --live.")
        result = _stored(first, second, given, words)
    if page is not None:
        _write_page(page, result)
    if as_json:
        print_json(result)
        return
    show_comparison(result)


def _refuse_others(context: click.Context, known: Collection[str], why: str, hint: str) -> None:
    """Refuse options that would change nothing of what is compared.

    Raises:
        UsageError: There is one that is not ``known``.
    """
    for name, option in _named(context).items():
        if name not in known:
            raise UsageError(f"{option} says how to measure, and {why}.", hint)


def _named(context: click.Context) -> dict[str, str]:
    """The options and arguments that the command line has, by the names of their parameters; but for those of the log,
    which are not the command's own."""
    source = context.get_parameter_source
    own = [option for option in context.command.params if option.expose_value and option.name]
    return {o.name: o.opts[0] for o in own if o.name and source(o.name) == ParameterSource.COMMANDLINE}


def _live(
    first: Source, second: Source, given: dict[str, Any], named: Collection[str], folder: Path, words: str
) -> Comparison:
    from edgerig.engine.compare.cell import LiveOptions
    from edgerig.engine.compare.live import compare_live

    plans = _plan(first, given, named), _plan(second, given, named)
    options = LiveOptions(margin=given["margin"], quality=_quality(given), pairs=given["pairs"])
    result = compare_live((first.name, second.name), plans, folder, options, ConsoleProgress(), words)
    echo(f"Raw times: {folder}")
    _write_page(folder / "comparison.html", result)
    return result


def _write_page(path: Path, result: Comparison) -> None:
    from edgerig.files import write_text
    from edgerig.report.comparison import render_comparison

    write_text(path, render_comparison(result))
    echo(f"Page: {path}")


def _plan(source: Source, given: dict[str, Any], named: Collection[str]) -> Plan:
    from edgerig.cli.compare_sources import plan_source

    return plan_source(source, given, named)


def _quality(given: dict[str, Any]) -> QualityOptions:
    """How qualities are compared; a task of the user's is loaded because it is named here."""
    from edgerig.plugins import find
    from edgerig.results.compare.quality import QualityOptions
    from edgerig.tasks.base import Task

    if given["task"] is not None:
        find("task", given["task"], Task, keyed=False)
    return QualityOptions(margin=given["quality_margin"], relative=given["quality_change"], names=given["names"])


def _stored(first: Source, second: Source, given: dict[str, Any], words: str) -> Comparison:
    from edgerig.results.compare.stored import StoredOptions, compare_bundles

    assert first.bundle is not None
    assert second.bundle is not None
    options = StoredOptions(
        margin=given["margin"],
        quality=_quality(given),
        only=given["only"],
        cells=(first.cell, second.cell),
    )
    return compare_bundles(first.bundle, second.bundle, options, words)
