"""``edgerig data import`` and ``export`` of labels, in the formats of annotation tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.cli.data_calls import Call, data_call, served
from tests.store.small_server import SmallServer

CLASSES = {"car": 1, "truck": 1, "person": 2}
#: Category ids that jump.
BOX = {"bbox": [2, 1, 4, 4], "area": 16}
CATEGORIES = [{"id": 3, "name": "car"}, {"id": 8, "name": "truck"}, {"id": 20, "name": "boat"}]
ADDED = "@1: 2 files, 2 added, 0 changed, 0 removed"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallServer]:
    with served(monkeypatch) as state:
        yield state


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str], street: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    return data_call(capfd, street, monkeypatch)


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Two pictures in ``val`` with an object each, and files of annotations and classes."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (tmp_path / "val").mkdir()
    for number, category in enumerate((3, 8)):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "val" / f"{number}.png")
        images.append({"id": 10 * number, "file_name": f"{number}.png", "width": 8, "height": 6})
        outline = [[1.5, 1, 6.25, 1, 6.25, 5, 1.5, 5]]
        entry = {"image_id": 10 * number, "category_id": category, "segmentation": outline, "iscrowd": 0}
        annotations.append({"id": number, **entry, **BOX})
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "classes.json").write_text(json.dumps(CLASSES))
    return tmp_path


def test_labels_of_coco_go_to_object_storage_and_come_back(call: Call, server: SmallServer, street: Path) -> None:
    words = ("--images", "val", "--classes", "classes.json", "--to", "s3://lab/street")
    code, out, err = call("import", "coco", "annotations.json", *words)
    assert code == 0, err
    assert out.startswith(f"s3://lab/street{ADDED}")
    assert out.endswith("2 objects; classes: background, car, person\n")
    for kind in ("coco", "yolo", "label-studio"):
        code, out, err = call("export", kind, "s3://lab/street@1", "--to", kind)
        assert (code, out) == (0, f"s3://lab/street@1: 2 pictures with 2 objects written to {kind}\n"), err
    assert (street / "coco" / "images" / "0.png").read_bytes() == (street / "val" / "0.png").read_bytes()
    written = json.loads((street / "coco" / "annotations.json").read_text())
    assert [entry["category_id"] for entry in written["annotations"]] == [1, 1]
    for kind, source in (
        ("coco", "coco/annotations.json"),
        ("yolo", "yolo"),
        ("label-studio", "label-studio/tasks.json"),
    ):
        assert "nothing is new" in call("import", kind, source, "--to", "s3://lab/street")[1]


def test_yolo_keeps_what_it_has_room_for(call: Call, street: Path) -> None:
    path = street / "annotations.json"
    path.write_text(path.read_text().replace("[2, 1, 4, 4]", "[1.5, 1, 4.75, 4]"))
    words = ("--images", "val", "--to", "lab/street", "--split", "train")
    assert call("import", "coco", "annotations.json", *words)[0] == 0
    _, _, err = call("export", "yolo", "lab/street", "--to", "out")
    assert "(!) Boxes beside outlines are not written: 2 objects had one." in err
    assert "(!) Splits are not written: 2 pictures of one (--split)." in err
    code, out, err = call("import", "yolo", "out", "--to", "lab/copy")
    assert (code, err) == (0, "")
    assert out.startswith(f"lab/copy{ADDED}")
    assert call("export", "yolo", "lab/street", "--to", "boxes", "--boxes", "--split", "train")[0] == 0
    assert len((street / "boxes" / "labels" / "0.txt").read_text().split()) == 5


def test_names_of_classes_may_come_from_a_list_where_yolo_has_none(call: Call, street: Path) -> None:
    (street / "labels").mkdir()
    (street / "labels" / "0.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    (street / "names.json").write_text('["cat", "dog"]')
    words = ("import", "yolo", ".", "--images", "val", "--to", "lab/pets")
    assert "names no classes" in call(*words)[2]
    code, out, _ = call(*words, "--classes", "names.json")
    assert code == 0
    assert out.endswith("1 object; classes: cat, dog\n")


def test_unknown_categories_are_listed_or_not_judged(call: Call, street: Path) -> None:
    (street / "classes.json").write_text('["car"]')
    words = ("import", "coco", "annotations.json", "--images", "val", "--classes", "classes.json", "--to", "lab/a")
    code, _, err = call(*words)
    assert code == 1
    assert "1 object of 1 unknown category: 'truck' (1)" in err
    code, out, err = call(*words, "--unknown", "ignore")
    assert code == 0
    assert "Not judged, as of unknown category: 1 object ('truck' (1))." in err
    assert out.endswith("2 objects; classes: car\n")
    assert call("export", "coco", "lab/a", "--to", "out")[0] == 0
    categories = json.loads((street / "out" / "annotations.json").read_text())["categories"]
    assert [(entry["id"], entry["name"]) for entry in categories] == [(1, "car"), (255, "ignore")]


def test_what_is_bad_is_an_error_without_a_traceback_or_is_left_out(call: Call, street: Path) -> None:
    (street / "val" / "1.png").unlink()
    words = ("import", "coco", "annotations.json", "--images", "val", "--to", "lab/a")
    code, _, err = call(*words)
    assert code == 1
    assert err.startswith("error: There is no picture val/1.png.")
    code, out, err = call(*words, "--skip-bad")
    assert (code, out.splitlines()[0].split(",")[0]) == (0, "lab/a@1: 1 file")
    assert "(!) Left out as unusable: 1 annotation." in err


def test_voc_keeps_masks_and_says_that_polygons_lost_their_corners(call: Call, street: Path) -> None:
    words = ("--images", "val", "--classes", "classes.json", "--to", "lab/street")
    assert call("import", "coco", "annotations.json", *words)[0] == 0
    for name, options in (("counted", ()), ("edged", ("--edges",))):
        code, out, err = call("export", "voc", "lab/street", "--to", name, *options)
        assert (code, out) == (0, f"lab/street@1: 2 pictures with 2 objects written to {name}\n"), err
        assert "(!) Masks are pixels: 2 objects lost the corners of polygons." in err
        code, out, err = call("import", "voc", name, *options, "--to", f"lab/{name}")
        assert (code, err) == (0, "")
        assert out.startswith(f"lab/{name}{ADDED}")
        assert call("export", "coco", f"lab/{name}", "--to", f"{name}-coco")[0] == 0
        written = json.loads((street / f"{name}-coco" / "annotations.json").read_text())
        assert [(entry["bbox"], entry["area"]) for entry in written["annotations"]] == [([2, 1, 4, 4], 16)] * 2
