"""The labeling interface of a project in Label Studio: the classes in their order, with their colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from edgerig.datasets.labels.checks import check_name
from edgerig.datasets.labels.shapes import IGNORE, Category
from edgerig.datasets.labels.voc_xml import parse_xml

#: Name of the file beside the tasks.
INTERFACE = "interface.xml"
#: What regions of each kind are called in the interface, and its tag.
CONTROLS = {
    "rectanglelabels": ("boxes", "RectangleLabels"),
    "polygonlabels": ("polygons", "PolygonLabels"),
    "brushlabels": ("masks", "BrushLabels"),
}
#: A colour in numbers: two digits for each of red, green and blue.
_COLOR = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


def interface(categories: Sequence[Category]) -> str:
    """The labeling interface of a project: boxes, polygons and masks of these classes."""
    lines = ["<View>", '  <Image name="image" value="$image" zoom="true"/>']
    for name, tag in CONTROLS.values():
        lines.append(f'  <{tag} name="{name}" toName="image">')
        for category in categories:
            color = "" if category.color is None else ' background="#{:02x}{:02x}{:02x}"'.format(*category.color)
            lines.append(f"    <Label value={quoteattr(category.name)}{color}/>")
        lines.append(f"  </{tag}>")
    return "\n".join([*lines, "</View>", ""])


def read_interface(path: Path) -> tuple[Category, ...]:
    """The classes of a labeling interface, in its order; without what is not judged.

    Raises:
        DatasetError: The file is no labeling interface.
    """
    categories: dict[str, Category] = {}
    for element in parse_xml(path, "View").iter("Label"):
        name = element.get("value", "").strip()
        check_name(name, str(path))
        match = _COLOR.fullmatch(element.get("background", ""))
        color = (int(match[1], 16), int(match[2], 16), int(match[3], 16)) if match else None
        if name != IGNORE:
            categories.setdefault(name, Category(id=len(categories), name=name, color=color))
    return tuple(categories.values())
