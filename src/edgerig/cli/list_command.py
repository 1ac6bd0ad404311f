"""``edgerig list``."""

from __future__ import annotations

from typing import Any

import click

from edgerig.cli.console import print_json, say
from edgerig.cli.options import find_here

#: What can be listed.
NOUNS = ["tasks", "datasets", "models", "formats", "compilers", "runtimes", "targets", "power-monitors", "conversions"]


@click.command(name="list")
@click.argument("noun", metavar="NOUN", type=click.Choice(NOUNS))
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(noun: str, name: str | None, as_json: bool) -> None:
    """List what there is of a NOUN; with a NAME, show its settings.

    \b
    NOUN is one of: tasks, datasets, models, formats, compilers,
    runtimes, targets, power-monitors, conversions.

    \b
    Examples:
      edgerig list datasets
      edgerig list compilers int8
      edgerig list formats
    """
    from edgerig.environments import choice
    from edgerig.plugin_names import names
    from edgerig.plugins import Plugin, describe, find
    from edgerig.setting_values import REQUIRED

    find_here(name or "")
    singular = noun.removesuffix("s")
    rows: list[dict[str, Any]] = []
    for entry in [name] if name else names(singular):
        plugin = find(singular, entry, Plugin)
        missing = choice.missing(plugin, None)
        rows.append(
            {
                "name": entry,
                "summary": plugin.summary,
                "installed": missing is None,
                "install": missing.hint if missing else None,
                "settings": [
                    {"name": key, "default": default, "description": text}
                    for key, default, text in describe(plugin.Settings)
                ],
            }
        )
    if as_json:
        print_json(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        say(f"{row['name']:<{width}}  {row['summary']}" + ("" if row["installed"] else f"  [{row['install']}]"))
    if name:
        for setting in rows[0]["settings"]:
            default = setting["default"]
            say(
                f"  {setting['name']} ({default if default == REQUIRED else f'default {default}'}): "
                f"{setting['description']}"
            )
