"""Views (`edgerig.views`) on pages: what templates need to render them, and a page that is nothing but views."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgerig.report.charts import curve, legend_of
from edgerig.report.rendering.page import page_css, page_environment
from edgerig.report.views import page_table
from edgerig.views import View

if TYPE_CHECKING:
    import jinja2


def view_environment() -> jinja2.Environment:
    """The templates of pages, with all that the macro ``view`` takes."""
    environment = page_environment()
    environment.filters["unbroken"] = _unbroken
    environment.filters["without"] = _without
    environment.filters["kind"] = lambda view: type(view).__name__
    environment.filters["page_table"] = page_table
    environment.filters["drawn"] = curve
    environment.filters["legend"] = legend_of
    environment.globals["zip"] = zip
    environment.globals["heat"] = _heat
    return environment


def render_views(
    title: str, kind: str, sentence: str, outcome: str, warnings: Sequence[str], views: Sequence[View]
) -> str:
    """A page of views. Names and messages are escaped; a content policy forbids scripts and requests.

    Args:
        title: Of the page. kind: What the page is about, beside the name of edgerig.
        sentence: What came out. outcome: Its colour: ``passed``, ``regressed`` or ``inconclusive``.
        warnings: What is to be known before the figures are read.
        views: In their order.
    """
    context = {
        "title": title,
        "page_kind": kind,
        "sentence": sentence,
        "outcome": outcome,
        "warnings": list(warnings),
        "views": list(views),
        "css": page_css(),
    }
    return view_environment().get_template("views.html.j2").render(context)


def _unbroken(text: str) -> str:
    """Keeps a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=(?:[nµm]?s|[kMG]?B|%|points?|times)\b|%)", "\N{NO-BREAK SPACE}", text)


def _without(text: str, unit: str) -> str:
    """A figure without its unit, for a column whose heading has it."""
    return text.removesuffix(f" {unit}")


def _heat(count: int, total: int, hit: bool) -> str:
    """Opacity of a confusion cell. For misses it is the root of their share, or the few that matter would be invisible;
    hits and misses are limited so that the number on the cell stays readable."""
    share = count / total if total else 0.0
    return f"{0.5 * share:.2f}" if hit else f"{0.12 + 0.5 * math.sqrt(share):.2f}"
