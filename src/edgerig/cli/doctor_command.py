"""``edgerig doctor``."""

from __future__ import annotations

import click

from edgerig.cli.console import print_json


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """Tell what is installed, what is missing and how to get it, and if this machine is fit to measure.

    \b
    Example:
      edgerig doctor
    """
    from edgerig.engine.doctor import diagnose

    findings = diagnose()
    if as_json:
        print_json(findings)
        return
    marks = {"ok": click.style("ok  ", fg="green"), "missing": click.style("--  ", fg="yellow")}
    marks["warning"] = click.style("(!) ", fg="yellow")
    marks["bad"] = click.style("BAD ", fg="red")
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            click.echo(
                click.style(f"\n{topic}", bold=True) if topic != findings[0].topic else click.style(topic, bold=True)
            )
        click.echo(f"  {marks[finding.state]}{finding.name}: {finding.text}")
        if finding.hint:
            click.echo(f"        {finding.hint}")
