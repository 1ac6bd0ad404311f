"""Categories of annotations become classes: by a class dictionary, a list, or names with numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgerig.datasets.labels import class_dictionary, classes
from edgerig.datasets.labels.shapes import Box, Category, ImageLabels, LabelSet, Shape
from edgerig.errors import DatasetError

#: In the form of the dictionaries that segmentation networks are trained with.
DICTIONARY = {
    "background": 0,
    "ignore": 255,
    "classes": 3,
    "objects": [
        {"id": 0, "name": "void", "trainId": 0, "category": "void", "display": False, "color": [0, 0, 0]},
        {"id": 1, "name": "person", "trainId": 1, "category": "human", "display": True, "color": [220, 20, 60]},
        {"id": 3, "name": "car", "trainId": 2, "category": "vehicle", "display": True, "color": [0, 0, 142]},
        {"id": 8, "name": "truck", "trainId": 2, "category": "vehicle", "display": True, "color": [0, 0, 70]},
        {"id": 9, "name": "blurred", "trainId": 255, "category": "void", "display": False, "color": [9, 9, 9]},
    ],
}


def mapping(folder: Path, value: Any) -> classes.ClassMapping:
    (folder / "classes.json").write_text(json.dumps(value))
    return classes.read_classes(folder / "classes.json")


def labels(*categories: str) -> LabelSet:
    shapes = tuple(Shape(category=name, box=Box(0, 0, 1, 1)) for name in categories)
    image = ImageLabels(width=2, height=2, shapes=shapes)
    known = tuple(Category(id=number, name=name) for number, name in enumerate(dict.fromkeys(categories)))
    return LabelSet(categories=known, images={"a.png": image})


def mapped(classes_: classes.ClassMapping, *categories: str, unknown: Any = "error") -> list[str]:
    result = classes.apply(classes_, labels(*categories), unknown)
    return [shape.category for shape in result.images["a.png"].shapes]


def test_a_dictionary_says_the_class_of_each_category_and_its_colour(tmp_path: Path) -> None:
    result = mapping(tmp_path, DICTIONARY)
    assert result.classes == ("background", "person", "vehicle")
    assert mapped(result, "truck", "person", "blurred", "void", "car") == [
        "vehicle", "person", "ignore", "background", "vehicle",
    ]  # fmt: skip
    categories = classes.apply(result, labels("car")).categories
    assert [(entry.train_id, entry.color) for entry in categories] == [
        (0, (0, 0, 0)),
        (1, (220, 20, 60)),
        (2, (0, 0, 142)),
    ]


def test_of_a_dictionary_everything_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(DICTIONARY))
    dictionary = class_dictionary.read_dictionary(tmp_path / "a.json")
    assert json.loads(msgspec.json.encode(dictionary)) == DICTIONARY


def test_names_in_a_list_are_classes_in_that_order(tmp_path: Path) -> None:
    result = mapping(tmp_path, ["background", "dog", "cat"])
    assert result.classes == ("background", "dog", "cat")
    assert mapped(result, "cat", "ignore") == ["cat", "ignore"]


def test_names_with_numbers_may_share_them(tmp_path: Path) -> None:
    result = mapping(tmp_path, {"car": 1, "truck": 1, "dog": 2, "blurred": 255})
    assert result.classes == ("background", "car", "dog")
    assert mapped(result, "truck", "blurred", "dog") == ["car", "ignore", "dog"]


def test_unknown_categories_are_listed_or_not_judged(tmp_path: Path) -> None:
    result = mapping(tmp_path, ["cat"])
    with pytest.raises(
        DatasetError, match=r"3 objects of 2 unknown categories: 'dog' \(2\), 'bird' \(1\)\.\n.*--unknown ignore"
    ):
        mapped(result, "dog", "cat", "bird", "dog")
    assert mapped(result, "dog", "cat", unknown="ignore") == ["ignore", "cat"]
    notes = classes.apply(result, labels("dog"), "ignore").notes
    assert notes == ("Not judged, as of unknown category: 1 object ('dog' (1)).",)


def test_without_a_file_categories_are_classes(tmp_path: Path) -> None:
    source = labels("dog", "ignore", "cat")
    assert classes.of_labels(source).classes == ("dog", "cat")
    assert classes.apply(classes.of_labels(source), source).images == source.images


def test_pixels_have_a_background(tmp_path: Path) -> None:
    assert classes.pixel_classes(["car", "dog"]) == ("background", "car", "dog")
    assert classes.pixel_classes(["car", "background"]) == ("car", "background")


def changed(**values: Any) -> dict[str, Any]:
    first, second, *rest = DICTIONARY["objects"]  # type: ignore[misc]
    return {**DICTIONARY, "objects": [first, {**second, **values}, *rest]}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"car": 1, "dog": 3}, "has no class of number 2"),
        ({"car": -1}, "'car' has the number -1"),
        ({"car": True}, "'car' has the number True"),
        ({"car": "1"}, "'car' has the number '1'"),
        ({"": 1}, "a class without a usable name"),
        ({"background": 1}, "calls two classes alike"),
        ({"ignore": 1}, "calls two classes alike, or one 'ignore'"),
        (["car", "car"], "has a name twice"),
        ([], "is no list of names"),
        ([1], "is no list of names"),
        (3, "is no list of names"),
        ({**DICTIONARY, "classes": 2}, "'car' has the trainId 2; there are 2 classes"),
        ({**DICTIONARY, "classes": 4}, "has no class of number 3"),
        ({**DICTIONARY, "classes": 0}, "is no class dictionary"),
        (changed(trainId=300), "is no class dictionary"),
        (changed(color=[0, 0, 256]), "is no class dictionary"),
        (changed(name="car"), "has the object 'car' twice"),
    ],
)
def test_files_that_contradict_themselves_are_refused(value: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        mapping(tmp_path, value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="Cannot read"):
        classes.read_classes(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("[")
    with pytest.raises(DatasetError, match="is no JSON"):
        classes.read_classes(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["", " ", "car\u202egpj", "a\nb", 201 * "x"])
def test_a_category_without_a_usable_name_is_refused_though_no_object_is_of_it(name: str) -> None:
    source = LabelSet(categories=(Category(id=1, name="car"), Category(id=2, name=name)), images={})
    with pytest.raises(DatasetError, match="without a usable name"):
        classes.of_labels(source)
