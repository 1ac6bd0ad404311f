"""``edgerig mlperf-tiny run``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgerig.cli.options import FiniteRange, old_option

if TYPE_CHECKING:
    from edgerig.suites.mlperf_tiny.runner.summary import Summary


@click.command(name="run")
@click.option("--benchmark", required=True, metavar="NAME", help="kws01, vww01, ic01, ad01 or sww01.")
@click.option(
    "--device",
    "address",
    required=True,
    metavar="ADDRESS",
    help="serial:///dev/ttyACM0, tcp:HOST:PORT, or sim:stm32f746 with --model.",
)
@click.option(
    "--mode",
    type=click.Choice(["accuracy", "performance", "energy"]),
    default="accuracy",
    show_default=True,
    help="accuracy: every file once. performance: five windows of at least 10 s. energy: the same with --power.",
)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with the samples: ROOT/kws01/y_labels.csv and the files that it names.",
)
@click.option(
    "--out", metavar="DIRECTORY", required=True, type=click.Path(path_type=Path), help="The session's folder."
)
@click.option(
    "--model", metavar="FILE", type=click.Path(path_type=Path), help="The network of an emulated board, a .tflite file."
)
@click.option("--power", metavar="NAME", help="The power monitor of energy mode: lpm01a, stream ..")
@click.option("--power-option", multiple=True, metavar="KEY=VALUE", help="A setting of the power monitor.")
@click.option(
    "--window",
    "window_seconds",
    metavar="SECONDS",
    type=FiniteRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Least seconds of a measured window; below 10 for trials, whose result does not count.",
)
@old_option("--warm-up", "--warmup", since="0.1", ends="0.3")
@click.option(
    "--warmup",
    metavar="N",
    type=click.IntRange(min=0, max=100_000),
    default=10,
    show_default=True,
    help="Inferences before each measured window.",
)
@click.option(
    "--timeout",
    "inference_seconds",
    metavar="SECONDS",
    type=FiniteRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    help="Seconds that one inference may take until the device is given up.",
)
@click.option(
    "--reference",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The device's network, or its float original: its answers here name what is wrong with the device's inputs.",
)
@click.option(
    "--behind-board", is_flag=True, help="The device is behind an interface board, which takes `dut ..` for it."
)
@click.option(
    "--strict", is_flag=True, help="Exit with 1 where the figures cannot be trusted, as by a clock that drifts."
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON document.")
def command(
    benchmark: str,
    address: str,
    mode: str,
    data: Path,
    out: Path,
    model: Path | None,
    power: str | None,
    power_option: tuple[str, ...],
    window_seconds: float,
    warmup: int,
    inference_seconds: float,
    reference: Path | None,
    behind_board: bool,
    strict: bool,
    as_json: bool,
) -> None:
    """Run a benchmark of MLPerf Tiny on a device that speaks its protocol.

    The folder of the session gets log.txt, results.txt and results.json as the official checker reads them, and
    edgerig/report.html. A session that was cut off goes on, file by file, when the same command is given again.

    \b
    Examples:
      edgerig mlperf-tiny run --benchmark kws01 --device serial:///dev/ttyACM0 --data tiny --out runs/kws
      edgerig mlperf-tiny run --benchmark kws01 --device serial:///dev/ttyACM0 --mode performance \\
          --data tiny --out runs/kws-perf --strict
      edgerig mlperf-tiny run --benchmark ic01 --device sim:stm32f746 --model resnet.tflite --data tiny --out runs/ic
    """
    import msgspec

    from edgerig.cli.console import ConsoleProgress, print_json
    from edgerig.cli.options import parse_options
    from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
    from edgerig.suites.mlperf_tiny.runner.address import Mode
    from edgerig.suites.mlperf_tiny.runner.run import run_session
    from edgerig.suites.mlperf_tiny.runner.settings import RunSettings

    settings = RunSettings(
        benchmark=benchmark_named(benchmark),
        mode=msgspec.convert(mode, Mode),
        address=address,
        data=data,
        out=out,
        model=model,
        window_seconds=window_seconds,
        warm_up=warmup,
        inference_seconds=inference_seconds,
        behind_board=behind_board,
        reference=reference,
        power=power,
        power_options=parse_options(power_option, "--power-option"),
    )
    summary = run_session(settings, ConsoleProgress())
    if as_json:
        print_json(summary)
    _show(summary, out)
    if strict and summary.problems:
        from edgerig.errors import AnswerError

        raise AnswerError(f"A strict run fails: {summary.problems[0]}", f"The results are in {out}.")


def _show(summary: Summary, out: Path) -> None:
    """The results on standard error."""
    from edgerig.cli.console import echo
    from edgerig.suites.mlperf_tiny.runner.report import sentence_of
    from edgerig.suites.mlperf_tiny.runner.session import REPORT

    echo(f"{summary.benchmark}, {summary.mode}, {summary.device.name}: {sentence_of(summary)}")
    for reason in summary.invalid:
        echo(f"No result by the rules: {reason}")
    for text in (*summary.problems, *summary.warnings):
        echo(f"(!) {text}")
    echo(f"Report: {out / REPORT}")
