"""``edgerig doctor``."""

from __future__ import annotations

import click

from edgerig.cli.console import print_json, say


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
    marks = {
        "ok": ("ok  ", "green"),
        "missing": ("--  ", "yellow"),
        "warning": ("(!) ", "yellow"),
        "bad": ("BAD ", "red"),
    }
    topic = ""
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            say(f"\n{topic}" if topic != findings[0].topic else topic, bold=True)
        mark, colour = marks[finding.state]
        say(f"  {mark}", nl=False, fg=colour)
        say(f"{finding.name}: {finding.text}")
        if finding.hint:
            say(f"        {finding.hint}")
