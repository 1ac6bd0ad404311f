"""How this copy of edgerig was installed, and the command that adds extras to it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

NAME = "edgerig"


def install_command(*extras: str, search: Sequence[str] | None = None) -> str:
    """The pip command that adds ``extras`` to this installation.

    It names the source that edgerig was installed from: the checkout, the wheel, or the package index. pip records the
    first two in ``direct_url.json`` (PEP 610).

    Args:
        extras: Names of extras; without any, edgerig alone is installed.
        search: Folders to look for the installation in; those of ``sys.path`` by default.
    """
    brackets = f"[{','.join(extras)}]" if extras else ""
    source, editable = _source(search)
    if source is None:
        return f"pip install {shlex.quote(NAME + brackets)}"
    if not source.exists():
        return f"pip install '.{brackets}' in a checkout of {NAME} (that in {source} is gone)"
    return f"pip install {'-e ' if editable else ''}{shlex.quote(f'{source}{brackets}')}"


def _source(search: Sequence[str] | None) -> tuple[Path | None, bool]:
    """The folder or file that edgerig was installed from, None for an index; and whether it is an editable install."""
    # Only where something is missing: both take long to import, and every process that runs a network has this module.
    from importlib import metadata
    from urllib.parse import unquote, urlsplit

    distributions = (
        metadata.distributions(name=NAME) if search is None else metadata.distributions(name=NAME, path=[*search])
    )
    for distribution in distributions:
        text = distribution.read_text("direct_url.json")
        if text is None:
            return None, False
        try:
            described = json.loads(text)
            address = urlsplit(described["url"])
            editable = bool(described.get("dir_info", {}).get("editable", False))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None, False
        return (Path(unquote(address.path)), editable) if address.scheme == "file" else (None, False)
    return None, False
