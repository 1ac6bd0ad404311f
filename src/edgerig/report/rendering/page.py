"""What every page has: templates that escape what they are given, and style sheets and scripts that are part of it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from edgerig.text import harmless

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent.parent / "templates"


@functools.cache
def page_environment() -> jinja2.Environment:
    """Templates of pages: every value is escaped, and a name that the template does not get is an error.

    There is one for all pages, and what is compiled is kept: to compile the templates takes longer than to fill them.
    """
    import jinja2

    from edgerig.report.rendering.compiled_templates import CompiledTemplates

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless_value,
        bytecode_cache=CompiledTemplates(),
    )


def asset(name: str) -> str:
    """A style sheet or script without indentation and comment lines, which only cost size in the page."""
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def page_css() -> Markup:
    """The style sheet of the small pages: comparison, gate, history."""
    return Markup(asset("report.css") + asset("pages.css"))


def _harmless_value(value: Any) -> Any:
    """A value for the template: texts without control characters that a browser would obey, the rest unchanged."""
    if isinstance(value, Markup):
        return Markup(harmless(value))
    return harmless(value) if isinstance(value, str) else value
