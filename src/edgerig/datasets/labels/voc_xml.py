"""Pascal VOC's XML: the boxes of an image."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import Attribute, Box, ImageLabels, Shape
from edgerig.errors import DatasetError

#: Elements of an object that say yes or no.
FLAGS = ("truncated", "difficult", "occluded")
#: Coordinates are rounded to so many decimals, so that what counts from 1 is exact from 0, too.
DECIMALS = 6
#: Longest file that is read, in bytes.
_LONGEST = 16 * 2**20


class Sheet(NamedTuple):
    """A file's image: height and width, 0 where it does not say them, and its objects, None for those of no use."""

    height: int
    width: int
    shapes: list[Shape | None]


def read_sheet(path: Path, problems: Problems, *, edges: bool) -> Sheet:
    """The objects of a file.

    Args:
        path: The file.
        problems: Takes in what is wrong with objects.
        edges: Whether a box's numbers are the coordinates of its edges, from 0; else the numbers of its first and last
            pixels, from 1, as in the challenge.

    Raises:
        DatasetError: The file is no such XML.
    """
    root = parse_xml(path, "annotation")
    height, width = (int(_number(root, f"size/{side}", str(path), 0)) for side in ("height", "width"))
    shapes = []
    for number, element in enumerate(root.findall("object")):
        where = f"{path}: object {number}"
        shapes.append(problems.guard(lambda e=element, w=where: _shape(e, edges, w)))  # type: ignore[misc]
        problems.change("Parts of objects are not read: {} had some.", element.find("part") is not None)
    return Sheet(height, width, shapes)


def sheet(name: str, image: ImageLabels, shapes: list[tuple[Shape, Box]], *, segmented: bool, edges: bool) -> str:
    """The XML of an image with boxes, as `read_sheet` reads it."""
    root = ET.Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", name)
    size = ET.SubElement(root, "size")
    for side, pixels in (("width", image.width), ("height", image.height), ("depth", 3)):
        _add(size, side, str(pixels))
    _add(root, "segmented", str(int(segmented)))
    for shape, box in shapes:
        element = ET.SubElement(root, "object")
        _add(element, "name", shape.category)
        _add(element, "pose", str(shape.attributes.get("pose", "Unspecified")))
        for flag in FLAGS:
            _add(element, flag, str(int(shape.attributes.get(flag) is True)))
        first = 0 if edges else 1
        bounds = ET.SubElement(element, "bndbox")
        _add(bounds, "xmin", _text(box.left + first))
        _add(bounds, "ymin", _text(box.top + first))
        _add(bounds, "xmax", _text(box.left + box.width))
        _add(bounds, "ymax", _text(box.top + box.height))
        others = {key: value for key, value in shape.attributes.items() if key not in ("pose", *FLAGS)}
        if others:
            attributes = ET.SubElement(element, "attributes")
            for key, value in others.items():
                attribute = ET.SubElement(attributes, "attribute")
                _add(attribute, "name", key)
                _add(attribute, "value", str(value).lower() if isinstance(value, bool) else str(value))
    ET.indent(root)
    return ET.tostring(root, "unicode") + "\n"


def parse_xml(path: Path, tag: str) -> ET.Element:
    """The XML of a file, without document types and entities, which can be huge and read other files.

    Raises:
        DatasetError: It is none, or does not begin with ``tag``.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_LONGEST + 1)
        if len(data) > _LONGEST or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise DatasetError(
                f"{path} is too long, or has a document type of its own.", "Annotation tools write none."
            )
        root = ET.fromstring(data)
    except OSError as error:
        raise DatasetError(f"Cannot read {path}: {error.strerror}.") from error
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DatasetError(f"{path} is no XML: {error}.", "Write it anew; it may have been cut off.") from error
    if root.tag != tag:
        raise DatasetError(f"{path} begins with <{root.tag}>, and not with <{tag}>.", "Is it another file?")
    return root


def _shape(element: ET.Element, edges: bool, where: str) -> Shape:
    name = (element.findtext("name") or "").strip()
    if element.find("robndbox") is not None:
        raise DatasetError(f"{where} ({name}) has a rotated box.", "Draw it as a polygon, and export as COCO.")
    xmin, ymin, xmax, ymax = (_number(element, f"bndbox/{key}", f"{where} ({name})") for key in _CORNERS)
    first = 0 if edges else 1
    if min(xmin, ymin) < first:
        raise DatasetError(
            f"{where} ({name}) begins at {xmin:g}, {ymin:g}; the first pixel is {first}.",
            "Where boxes are coordinates of edges from 0, as CVAT writes them, say so: --edges." if first else None,
        )
    numbers = (xmin - first, ymin - first, xmax - xmin + first, ymax - ymin + first)
    return Shape(
        category=name, box=Box(*(round(number, DECIMALS) for number in numbers)), attributes=_attributes(element)
    )


_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def _attributes(element: ET.Element) -> dict[str, Attribute]:
    values: dict[str, Attribute] = {flag: True for flag in FLAGS if (element.findtext(flag) or "").strip() == "1"}
    pose = (element.findtext("pose") or "").strip()
    if pose and pose != "Unspecified":
        values["pose"] = pose
    for attribute in element.iterfind("attributes/attribute"):
        key, value = (attribute.findtext("name") or "").strip(), (attribute.findtext("value") or "").strip()
        if key:
            values[key] = _value(value)
    return values


def _value(text: str) -> Attribute:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def _number(element: ET.Element, path: str, where: str, missing: float | None = None) -> float:
    text = element.findtext(path)
    if text is None and missing is not None:
        return missing
    try:
        number = float(text or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DatasetError(f"{where} has no number in <{path.replace('/', '><')}>: {(text or '')[:40]!r}.")
    return number


def _text(number: float) -> str:
    return repr(round(float(number), DECIMALS)).removesuffix(".0")


def _add(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text
