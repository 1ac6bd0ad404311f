"""The drift between two versions of a dataset as a page: histograms beside each other, differences with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from edgerig.datasets.stored.drift import Shift
from edgerig.datasets.stored.label_looks import LABEL_OF, LABEL_QUANTITIES, OBJECTS_OF, PIXELS_OF
from edgerig.datasets.stored.looks import QUANTITIES, Looks
from edgerig.report.charts.two_samples import paired_bars, shares
from edgerig.report.rendering.page import page_css, page_environment

#: Classes that are drawn.
_CLASSES = 12
#: What names of shares begin with, their chart's title and unit.
_SHARES = (
    ("class ", "predictions", "share of each predicted class"),
    (LABEL_OF, "labels", "share of each class of pictures"),
    (OBJECTS_OF, "objects by class", "share of each class of all objects"),
    (PIXELS_OF, "pixels by class", "mean share of a picture's judged pixels"),
)


class Chart(msgspec.Struct, frozen=True):
    """A quantity as it is drawn, with what is said of its difference."""

    title: str
    unit: str
    drawing: Markup
    shifts: tuple[Shift, ...]


def sentence(shift: Shift) -> str:
    """A difference in words.

    >>> sentence(Shift("brightness", 0.5, 0.4, -0.12, -0.08, -0.9, True, (100, 50)))
    'brightness: 0.5 -> 0.4, difference -0.12 to -0.08 (95 %), -0.90 standard deviations: drifted'
    """
    text = (
        f"{shift.name}: {shift.earlier:.4g} -> {shift.later:.4g}, difference {shift.low:.3g} to {shift.high:.3g} (95 %)"
    )
    if shift.effect is not None and not shift.share:
        text += f", {shift.effect:+.2f} standard deviations"
    return f"{text}{': drifted' if shift.drifted else ''}"


def render_drift(earlier: Looks, later: Looks, differences: Sequence[Shift]) -> str:
    """The page; it loads nothing from outside."""
    charts = []
    by_name = {shift.name: shift for shift in differences}
    values = [
        (name, unit, earlier.values[name], later.values[name]) for name, unit in QUANTITIES.items() if name in by_name
    ]
    values += [
        (name, unit, earlier.labels[name].values, later.labels[name].values)
        for name, unit in LABEL_QUANTITIES.items()
        if name in by_name
    ]
    for name, unit, before, after in values:
        edges, first, second = shares(before, after)
        ticks = [f"{edges[index]:.3g}" for index in (0, len(edges) // 2, -1)]
        drawing = paired_bars(first.tolist(), second.tolist(), ticks, f"Histograms of {name}")
        charts.append(Chart(name, unit, drawing, (by_name[name],)))
    for prefix, title, unit in _SHARES:
        classes = [shift for shift in differences if shift.name.startswith(prefix)]
        if classes:
            most = sorted(classes, key=lambda shift: -max(shift.earlier, shift.later))[:_CLASSES]
            names = [shift.name.removeprefix(prefix)[:14] for shift in most]
            drawing = paired_bars([s.earlier for s in most], [s.later for s in most], names, f"Shares: {title}")
            charts.append(Chart(title, unit, drawing, tuple(classes)))
    template = page_environment().get_template("drift.html.j2")
    return template.render(
        css=page_css(), earlier=earlier, later=later, charts=charts, sentence=sentence, shifts=differences
    )
