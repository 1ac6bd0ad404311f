"""``edgerig mlperf-tiny doctor``."""

from __future__ import annotations

import click


@click.command(name="doctor")
@click.argument("line", metavar="LINE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, line: str, as_json: bool) -> None:
    """Tell why a device does not answer on LINE: a serial port, or tcp:HOST:PORT.

    Looks whether the port is there and may be used, who offers a login on it or has it open, and asks the device for
    its name, on a real port at one bit rate after another. The exit code is 0 if a device answers and nothing is wrong.

    \b
    Examples:
      edgerig mlperf-tiny doctor /dev/ttyACM0
      edgerig mlperf-tiny doctor "/dev/ttyTHS1?baud=9600" --json
      edgerig mlperf-tiny doctor tcp:127.0.0.1:7500
    """
    import msgspec

    from edgerig.cli.console import echo, print_json, say
    from edgerig.suites.mlperf_tiny.device.doctor import examine

    diagnosis = examine(line, log=echo)
    if as_json:
        print_json({"ok": diagnosis.ok, **msgspec.to_builtins(diagnosis)})
    else:
        marks = {"ok": ("ok  ", "green"), "warning": ("(!) ", "yellow"), "bad": ("BAD ", "red")}
        for finding in diagnosis.findings:
            mark, colour = marks[finding.state]
            say(mark, nl=False, fg=colour)
            say(f"{finding.name}: {finding.text}")
            if finding.hint:
                say(f"      {finding.hint}")
    ctx.exit(0 if diagnosis.ok else 1)
