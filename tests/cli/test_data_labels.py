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
    assert code == 2
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
    assert code == 2
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


DICTIONARY = {
    "background": 0,
    "ignore": 255,
    "classes": 3,
    "objects": [
        {"id": 3, "name": "car", "trainId": 1, "category": "vehicle", "color": [0, 0, 142]},
        {"id": 8, "name": "truck", "trainId": 1, "category": "vehicle", "color": [0, 0, 70]},
        {"id": 20, "name": "boat", "trainId": 2, "category": "ship", "color": [9, 8, 7]},
    ],
}


def exported(call: Call, street: Path, address: str, to: str) -> list[dict[str, Any]]:
    code, _, err = call("export", "coco", address, "--to", to)
    assert code == 0, err
    return list(json.loads((street / to / "annotations.json").read_text())["categories"])


def test_ids_colours_groups_and_order_of_categories_come_back(call: Call, street: Path) -> None:
    path = street / "annotations.json"
    content = json.loads(path.read_text())
    # Ids are neither dense nor in the order of names; the last category has no object.
    content["categories"] = [
        {"id": 3, "name": "van", "supercategory": "vehicle", "color": [1, 2, 3]},
        {"id": 8, "name": "bus", "supercategory": "vehicle"},
        {"id": 90, "name": "boat", "supercategory": "ship", "color": [255, 0, 9]},
    ]
    path.write_text(json.dumps(content))
    words = ("--images", "val", "--to", "lab/street")
    assert call("import", "coco", "annotations.json", *words)[0] == 0
    categories = exported(call, street, "lab/street", "first")
    assert categories == [{"supercategory": "", **each} for each in content["categories"]]
    written = json.loads((street / "first" / "annotations.json").read_text())
    assert [entry["category_id"] for entry in written["annotations"]] == [3, 8]
    assert "nothing is new" in call("import", "coco", "first/annotations.json", "--to", "lab/street")[1]
    # Classes that come later have ids of their own, and none that is taken.
    (street / "more.json").write_text(json.dumps({"car": 0, "bike": 1}))
    content["categories"] = [{"id": 3, "name": "car"}, {"id": 8, "name": "bike"}]
    path.write_text(json.dumps(content))
    assert call("import", "coco", "annotations.json", "--images", "val", "--to", "lab/street")[0] == 0
    ids = {each["name"]: each["id"] for each in exported(call, street, "lab/street", "second")}
    assert (ids["van"], ids["bus"], ids["boat"]) == (3, 8, 90)
    assert len(set(ids.values())) == 5


def test_ids_and_colours_of_a_class_dictionary_come_back(call: Call, street: Path) -> None:
    (street / "classes.json").write_text(json.dumps(DICTIONARY))
    words = ("--images", "val", "--classes", "classes.json", "--to", "lab/street")
    assert call("import", "coco", "annotations.json", *words)[0] == 0
    assert exported(call, street, "lab/street", "out") == [
        {"id": 0, "name": "background", "supercategory": ""},
        {"id": 3, "name": "vehicle", "supercategory": "vehicle", "color": [0, 0, 142]},
        {"id": 20, "name": "boat", "supercategory": "ship", "color": [9, 8, 7]},
    ]


@pytest.mark.parametrize(
    ("kind", "source"), [("label-studio", "tasks.json"), ("voc", ""), ("yolo", ""), ("coco", "annotations.json")]
)
def test_the_order_and_the_colours_of_classes_outlast_a_way_through_every_format(
    call: Call, street: Path, kind: str, source: str
) -> None:
    path = street / "annotations.json"
    content = json.loads(path.read_text())
    content["categories"] = [
        {"id": 3, "name": "van", "color": [1, 2, 3]}, {"id": 8, "name": "bus"},
        {"id": 90, "name": "boat", "supercategory": "ship"},
    ]  # fmt: skip
    path.write_text(json.dumps(content))
    assert call("import", "coco", "annotations.json", "--images", "val", "--to", "lab/street")[0] == 0
    assert call("export", kind, "lab/street", "--to", "out")[0] == 0
    code, out, err = call("import", kind, f"out/{source}", "--to", "lab/copy")
    assert code == 0, err
    assert out.endswith("classes: van, bus, boat\n")
    colors = [each.get("color") for each in exported(call, street, "lab/copy", "again")]
    assert colors == [[1, 2, 3] if kind != "yolo" else None, None, None]
    # Back into the dataset that it came from: what the format cannot say stays as it is.
    assert call("import", kind, f"out/{source}", "--to", "lab/street")[0] == 0
    back = exported(call, street, "lab/street", "back")
    assert back == [{"supercategory": "", **each} for each in content["categories"]]


def test_an_id_that_was_changed_is_changed_in_the_dataset(call: Call, street: Path) -> None:
    path = street / "annotations.json"
    content = json.loads(path.read_text())
    assert call("import", "coco", "annotations.json", "--images", "val", "--to", "lab/street")[0] == 0
    names = [each["name"] for each in exported(call, street, "lab/street", "first")]
    former = {each["name"]: each["id"] for each in content["categories"]}
    # To those that classes without ids have, and others.
    for offset in (1, 7):
        ids = {name: number for number, name in enumerate(names, offset)}
        content["categories"] = [{"id": ids[name], "name": name} for name in names]
        for annotation in content["annotations"]:
            name = next(name for name, number in former.items() if number == annotation["category_id"])
            annotation["category_id"] = ids[name]
        former = ids
        path.write_text(json.dumps(content))
        assert call("import", "coco", "annotations.json", "--images", "val", "--to", "lab/street")[0] == 0
        categories = exported(call, street, "lab/street", f"with-{offset}")
        assert {each["name"]: each["id"] for each in categories} == ids


def test_an_annotation_that_was_changed_in_the_store_is_sent_again_where_it_is_asked_for(
    call: Call, server: SmallServer, street: Path
) -> None:
    words = ("import", "coco", "annotations.json", "--images", "val", "--to", "s3://lab/street")
    assert call(*words)[0] == 0
    for key in [key for key in server.objects if "/objects/" in key]:
        server.objects[key] = bytes(len(server.objects[key]))
    assert call("check", "s3://lab/street")[0] == 1
    assert "0 objects sent" in call(*words)[1]
    assert "4 objects sent" in call(*words, "--repair")[1]
    assert call("check", "s3://lab/street")[0] == 0
