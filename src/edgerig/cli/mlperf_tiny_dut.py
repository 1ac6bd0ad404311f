"""``edgerig mlperf-tiny dut``."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import click

from edgerig.cli.options import old_option

_logger = logging.getLogger(__name__)


def _vendor(context: click.Context, option: click.Parameter, text: str) -> str:
    if not re.fullmatch(r"[ -Z^-~]{1,60}", text):
        raise click.BadParameter(f"{text!r} is not 1 to 60 letters of ASCII without brackets.", context, option)
    return text


@click.command(name="dut")
@click.option("--benchmark", "benchmark_name", required=True, metavar="NAME", help="kws01, vww01, ic01, ad01 or sww01.")
@click.option(
    "--model", "path", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The network to run."
)
@click.option("--runtime", metavar="NAME", help="What runs it: litert, onnxruntime, tflm ..  [default: by the format]")
@click.option(
    "--runtime-option",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the runtime, such as threads=4: `edgerig list runtimes NAME`; may be repeated.",
)
@click.option(
    "--line",
    "line_name",
    required=True,
    metavar="LINE",
    help="Where the host is: pty makes a pseudo-terminal; /dev/ttyGS0 or serial:///dev/ttyTHS1?baud=115200 is a port; "
    "tcp:7500 or tcp:HOST:PORT is listened on.",
)
@click.option(
    "--mode",
    type=click.Choice(["performance", "energy"]),
    default="performance",
    show_default=True,
    help="What a timestamp is: the time in microseconds, or a pulse on the power monitor's pin.",
)
@click.option(
    "--pin",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="In energy mode: the file of the pin, such as /sys/class/gpio/gpio79/value; 0 and then 1 are written there.",
)
@old_option("--warm-up", "--warmup", since="0.1", ends="0.3")
@click.option(
    "--warmup",
    type=click.IntRange(min=0),
    metavar="N",
    help="Inferences before the timed ones where the host does not say how many.  [default: 10]",
)
@click.option(
    "--vendor",
    metavar="NAME",
    default="edgerig",
    show_default=True,
    callback=_vendor,
    help="The name that `name` answers.",
)
@click.option("--insecure", is_flag=True, help="Listen on another address than loopback, open to everybody there.")
def command(
    benchmark_name: str,
    path: Path,
    runtime: str | None,
    runtime_option: tuple[str, ...],
    line_name: str,
    mode: Any,
    pin: Path | None,
    warmup: int | None,
    vendor: str,
    insecure: bool,
) -> None:
    """Be a device for any MLPerf Tiny runner: a network on any runtime behind the benchmark's console, until Ctrl-C.

    Once it serves, the name of the line goes to standard output: that of the pseudo-terminal, of the port, or
    tcp://HOST:PORT. -v and --log-file show who comes and goes and what errors a host is told, -vv every answer.

    \b
    Examples:
      edgerig mlperf-tiny dut --benchmark kws01 --model kws.tflite --runtime litert --line pty
      edgerig mlperf-tiny dut --benchmark ic01 --model resnet.onnx --line /dev/ttyGS0
      edgerig mlperf-tiny dut --benchmark ad01 --model ad.tflite --line "/dev/ttyTHS1?baud=921600" --log-file dut.log
      edgerig mlperf-tiny dut --benchmark kws01 --model kws.tflite --line tcp:7500
      edgerig mlperf-tiny doctor /dev/pts/7                     # in another terminal
    """
    from edgerig.cli.console import echo, say
    from edgerig.cli.options import find_here, parse_options
    from edgerig.datasets.mlperf_tiny.benchmarks import benchmark_named
    from edgerig.suites.mlperf_tiny.device.address import open_line
    from edgerig.suites.mlperf_tiny.device.console import DeviceConsole
    from edgerig.suites.mlperf_tiny.device.network import open_network
    from edgerig.suites.mlperf_tiny.device.pin import OutputPin, check_pin
    from edgerig.suites.mlperf_tiny.device.serve import boot, default_baud, serve
    from edgerig.suites.mlperf_tiny.grammar import DEFAULT_WARM_UP
    from edgerig.suites.mlperf_tiny.reference_size import differs_from_reference

    benchmark = benchmark_named(benchmark_name)
    check_pin(pin, mode)
    find_here(*filter(None, [runtime]))
    network = open_network(benchmark, path, runtime, parse_options(runtime_option, "--runtime-option"))
    try:
        if not network.as_they_are and benchmark.input_type != "float32":
            echo(f"{path.name} has another input than the reference network: samples are converted by real numbers.")
        larger_or_smaller = differs_from_reference(benchmark, path)
        if larger_or_smaller:
            echo(larger_or_smaller)
        console = DeviceConsole(
            benchmark.name,
            network,
            vendor=vendor,
            mode=mode,
            warm_up=DEFAULT_WARM_UP if warmup is None else warmup,
            pull_pin=OutputPin(pin).pulse if pin is not None else lambda: None,
        )
        with open_line(line_name, baud=default_baud(benchmark, mode), insecure=insecure) as line:
            network.abandoned = line.host_has_gone
            boot(console, line)
            say(line.name)
            _logger.info("%s: %s on %s serves on %s", benchmark.name, path.name, network.runtime.name, line.name)
            echo(f"{benchmark.name}: {path.name} on {network.runtime.name} serves on {line.name}; Ctrl-C stops it.")
            serve(console, line)
    except KeyboardInterrupt:
        _logger.info("stopped")
    finally:
        network.close()
