"""``edgerig mlperf-tiny``: run the benchmarks of MLPerf Tiny, or be a device for them."""

from __future__ import annotations

import click

from edgerig.cli.lazy_group import Commands
from edgerig.cli.mlperf_tiny_data import command as data
from edgerig.cli.mlperf_tiny_doctor import command as doctor
from edgerig.cli.mlperf_tiny_dut import command as dut
from edgerig.cli.mlperf_tiny_network import command as network
from edgerig.cli.mlperf_tiny_run import command as run


@click.group(name="mlperf-tiny", cls=Commands)
def command() -> None:
    """Run the benchmarks of MLPerf Tiny on a device, or make a network here into a device for them.

    \b
    Examples:
      edgerig mlperf-tiny benchmarks
      edgerig mlperf-tiny data ic01 --from cifar10 --out tiny
      edgerig mlperf-tiny run --benchmark kws01 --device serial:///dev/ttyACM0 --data tiny --out runs/kws
      edgerig mlperf-tiny dut --benchmark kws01 --model kws.tflite --line pty
      edgerig mlperf-tiny doctor /dev/ttyACM0
    """


@command.command(name="benchmarks")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_benchmarks(as_json: bool) -> None:
    """List the benchmarks: inputs, size of the reference network, quality asked for.

    \b
    Example:
      edgerig mlperf-tiny benchmarks
    """
    import sys

    from edgerig.cli.console import print_json, say, terminal_width
    from edgerig.cli.tables import Column, render_table
    from edgerig.datasets.mlperf_tiny.benchmarks import BENCHMARKS

    if as_json:
        print_json(list(BENCHMARKS.values()))
        return
    columns = [
        Column("benchmark", right=False),
        Column("what it is", right=False, rank=1),
        Column("input"),
        Column("outputs"),
        Column("parameters", rank=2),
        Column("MACs", rank=1),
        Column("quality asked for", right=False),
    ]
    rows = [
        [
            benchmark.name,
            benchmark.title,
            "x".join(map(str, benchmark.input_shape)) + f" {benchmark.input_type}",
            str(benchmark.outputs),
            f"{benchmark.parameters:,}",
            f"{benchmark.macs:,}",
            benchmark.quality.text,
        ]
        for benchmark in BENCHMARKS.values()
    ]
    for line in render_table(columns, rows, terminal_width(sys.stdout)):
        say(line)


command.add_command(run)
command.add_command(dut)
command.add_command(doctor)
command.add_command(data)
command.add_command(network)
