"""The service for systemd fits the command."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
from tests.needs import need

from edgerig.cli.mlperf_tiny_dut import command

FOLDER = Path(__file__).parents[4] / "examples" / "mlperf-tiny-device"
UNIT = FOLDER / "edgerig-dut@.service"


def test_the_command_line_in_the_unit_is_one_that_the_device_takes() -> None:
    (line,) = re.findall(r"^ExecStart=(.+)$", UNIT.read_text(), re.MULTILINE)
    settings = dict(
        entry.split("=", 1)
        for entry in (FOLDER / "dut-ttyGS0.env").read_text().splitlines()
        if not entry.startswith("#")
    )
    for name, value in settings.items():
        line = line.replace(f"${{{name}}}", value)
    assert "${" not in line, "every variable of the unit is in the example of its environment"
    program, words = line.replace("%i", "ttyGS0").split(" -v mlperf-tiny dut ")
    assert program == "/opt/edgerig/bin/edgerig"
    with click.Context(command) as context:
        options, rest, _ = command.make_parser(context).parse_args(shlex.split(words))
    assert rest == []
    assert (options["line_name"], options["benchmark_name"], options["runtime"]) == ("/dev/ttyGS0", "kws01", "litert")


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    need("systemd-analyze")
    unit = tmp_path / "edgerig-dut@ttyGS0.service"
    unit.write_text(UNIT.read_text().replace("/opt/edgerig/bin/edgerig", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr
