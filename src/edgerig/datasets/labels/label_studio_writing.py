"""Labels as tasks for Label Studio's import, and the labeling interface that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgerig import files
from edgerig.datasets.labels import label_studio_brush, masks
from edgerig.datasets.labels.label_studio_interface import CONTROLS, INTERFACE, interface
from edgerig.datasets.labels.label_studio_names import PREFIX, image_of
from edgerig.datasets.labels.label_studio_percents import in_percents, in_pixels
from edgerig.datasets.labels.polygons import ring_to_runs
from edgerig.datasets.labels.problems import Problems
from edgerig.datasets.labels.shapes import ImageLabels, LabelSet, Shape

#: Name of the file that is written, beside the interface.
FILE = "tasks.json"


def write(labels: LabelSet, folder: Path, *, prefix: str = PREFIX) -> tuple[str, ...]:
    """Write ``tasks.json`` and ``interface.xml``, the labeling interface of a project that shows them.

    Objects with a score become predictions, others annotations. Polygons with holes and objects of several parts, which
    Label Studio lacks, become brush masks of the same pixels.

    Args:
        labels: To write.
        folder: Made where it is not there.
        prefix: Of the images' addresses, before their names; as Label Studio serves the folder ``images`` by default.

    Returns:
        What is lost or changed, a sentence each.
    """
    problems = Problems()
    tasks = [
        {"data": {"image": image_of(name, prefix)}, **_said(image, problems)} for name, image in labels.images.items()
    ]
    files.write_bytes(folder / FILE, msgspec.json.encode(tasks))
    files.write_text(folder / INTERFACE, interface(labels.categories))
    return problems.notes()


def _said(image: ImageLabels, problems: Problems) -> dict[str, Any]:
    """The annotations and predictions of an image."""
    regions = [_region(shape, image, f"region-{number}", problems) for number, shape in enumerate(image.shapes)]
    annotated = [region for region in regions if "score" not in region]
    predicted = [region for region in regions if "score" in region]
    said: dict[str, Any] = {}
    if annotated or not predicted:
        said["annotations"] = [{"result": annotated}]
    if predicted:
        said["predictions"] = [{"model_version": "edgerig", "result": predicted}]
    return said


def _region(shape: Shape, image: ImageLabels, name: str, problems: Problems) -> dict[str, Any]:
    height, width = image.height, image.width
    outlined = bool(shape.runs or shape.polygons)
    problems.change("Label Studio has no crowds: {} written as single ones.", shape.crowd)
    problems.change("Attributes are not written: {} had some.", bool(shape.attributes))
    problems.change("Boxes beside outlines are not written: {} had one.", outlined and shape.box is not None)
    kind, value = next(_values(shape, height, width, problems))
    return {
        "id": name,
        "type": kind,
        "from_name": CONTROLS[kind][0],
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {**value, kind: [shape.category]},
        **({} if shape.score is None else {"score": shape.score}),
    }


def _values(shape: Shape, height: int, width: int, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    if _comes_back(shape, height, width):
        numbers = in_percents(shape.polygons[0].outer, height, width)
        points = [list(pair) for pair in zip(numbers[0::2], numbers[1::2], strict=True)]
        yield "polygonlabels", {"points": points, "closed": True}
    elif shape.box is not None and not (shape.runs or shape.polygons):
        x, y, across, down = in_percents(shape.box, height, width)
        yield "rectanglelabels", {"x": x, "y": y, "width": across, "height": down, "rotation": 0}
    else:
        problems.change("What one polygon cannot say becomes a brush mask: {} of polygons.", bool(shape.polygons))
        packed = label_studio_brush.encode(masks.shape_runs(shape, height, width), height, width)
        yield "brushlabels", {"format": "rle", "rle": list(packed)}


def _comes_back(shape: Shape, height: int, width: int) -> bool:
    """Whether a shape is one polygon without holes that has the same pixels after its percents were rounded."""
    if len(shape.polygons) != 1 or shape.polygons[0].holes:
        return False
    outer = shape.polygons[0].outer
    stored = in_pixels(in_percents(outer, height, width), height, width)
    return stored == outer or np.array_equal(ring_to_runs(stored, height, width), ring_to_runs(outer, height, width))
