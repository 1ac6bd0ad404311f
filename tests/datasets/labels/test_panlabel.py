"""Boxes are those that panlabel, an independent converter, reads of our files and writes for us to read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.labels import coco, label_studio, label_studio_writing, voc, voc_writing, yolo
from edgerig.datasets.labels.shapes import Box, Category, ImageLabels, LabelSet, Shape


def program() -> Path | None:
    """The program of the installed package, which need not be on the path."""
    try:
        files = metadata.files("panlabel") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).resolve() for file in files if file.name == "panlabel"), None)


PROGRAM = program()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="panlabel is not installed")
BOXES = {
    "a.png": [("cat", Box(1.5, 2, 10, 8.25)), ("dog", Box(0, 0, 40, 30))],
    "b.png": [("dog", Box(33.25, 4, 6, 20))],
}
SHAPES = {name: tuple(Shape(category=kind, box=box) for kind, box in boxes) for name, boxes in BOXES.items()}
LABELS = LabelSet(
    categories=(Category(id=1, name="cat"), Category(id=2, name="dog")),
    images={name: ImageLabels(width=40, height=30, shapes=shapes) for name, shapes in SHAPES.items()},
)
#: panlabel takes VOC's boxes for coordinates of edges.
FORMATS: dict[str, tuple[str, Callable[..., object], Callable[..., LabelSet]]] = {
    "coco": (coco.FILE, coco.write, coco.read),
    "voc": (".", partial(voc_writing.write, edges=True), partial(voc.read, edges=True)),
    "yolo": (".", yolo.write, yolo.read),
    "label-studio": (
        label_studio_writing.FILE,
        partial(label_studio_writing.write, prefix="images/"),
        label_studio.read,
    ),
}


def draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in BOXES:
        Image.new("L", (40, 30)).save(folder / name)


def convert(source: str, here: Path, target: str, there: Path) -> None:
    command = [str(PROGRAM), "convert", "--allow-lossy", "--from", source, "--to", target]
    command += ["--input", str(here), "--output", str(there)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def boxes_of(labels: LabelSet) -> dict[str, list[tuple[str, list[float]]]]:
    return {
        name: sorted((shape.category, np.round(shape.box or (), 3).tolist()) for shape in image.shapes)
        for name, image in labels.images.items()
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_panlabel_reads_the_boxes_that_we_write(kind: str, tmp_path: Path) -> None:
    path, write, _ = FORMATS[kind]
    write(LABELS, tmp_path / "ours")
    for folder in ("images", voc.IMAGES):
        draw(tmp_path / "ours" / folder)
    convert(kind, tmp_path / "ours" / path, "coco", tmp_path / "theirs.json")
    theirs = boxes_of(coco.read(tmp_path / "theirs.json"))
    assert {Path(name).name: boxes for name, boxes in theirs.items()} == boxes_of(LABELS)


@pytest.mark.parametrize("kind", FORMATS)
def test_we_read_the_boxes_that_panlabel_writes(kind: str, tmp_path: Path) -> None:
    coco.write(LABELS, tmp_path)
    theirs = tmp_path / ("theirs" if FORMATS[kind][0] == "." else "theirs.json")
    convert("coco", tmp_path / coco.FILE, kind, theirs)
    if theirs.is_dir():
        for folder in ("images", voc.IMAGES):
            draw(theirs / folder)
    assert boxes_of(FORMATS[kind][2](theirs)) == boxes_of(LABELS)
