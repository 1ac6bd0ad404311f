"""The colours of classes on the page."""

from __future__ import annotations

import colorsys

from edgerig.tasks.map_views import COLOURS

#: The hue of each further colour is this far from the one before: the golden angle, after which hues come close late.
GOLDEN_TURN = 0.381966


def colour_of(index: int) -> str:
    """The colour of a class, for style sheets: those of reports first, then further hues.

    >>> colour_of(0), colour_of(7)
    ('#009e73', '#e64545')
    """
    if index < len(COLOURS):
        red, green, blue = (int(value) for value in COLOURS[index])
    else:
        hue = (index - len(COLOURS)) * GOLDEN_TURN % 1
        red, green, blue = (round(255 * value) for value in colorsys.hsv_to_rgb(hue, 0.7, 0.9))
    return f"#{red:02x}{green:02x}{blue:02x}"
