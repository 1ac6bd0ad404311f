"""Labels and pictures into a store and out of it again, with everything that may be wrong with their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.labels import coco, yolo
from edgerig.datasets.labels.exporting import export_labels, read_labels
from edgerig.datasets.labels.importing import Imported, import_labels
from edgerig.datasets.labels.shapes import Box, Category, ImageLabels, LabelSet, Polygon, Shape
from edgerig.errors import DatasetError, StoreError
from edgerig.progress import Progress
from edgerig.store import Versions, open_dataset

SQUARE = Shape(category="cat", polygons=(Polygon((1.5, 1, 6.25, 1, 6.25, 5, 1.5, 5)),))
BOXED = Shape(category="dog", box=Box(0, 0.5, 3, 2.25), crowd=True)
#: EXIF orientations that keep the sides.
HALF_TURN = 3


def picture(path: Path, width: int = 8, height: int = 6, orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)


def labels(**images: tuple[Shape, ...]) -> LabelSet:
    by_name = {f"{name}.png": ImageLabels(width=8, height=6, shapes=shapes) for name, shapes in images.items()}
    categories = (Category(id=1, name="cat"), Category(id=2, name="dog"))
    return LabelSet(categories=categories, images=by_name)


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return open_dataset(str(tmp_path / "store" / "street"), writing=True)[0]


def add(versions: Versions, label_set: LabelSet, images: Path, **options: object) -> Imported:
    return import_labels(versions, label_set, images, Progress(), **options)  # type: ignore[arg-type]


def test_labels_come_back_from_the_store_and_the_same_ones_are_nothing_new(versions: Versions, tmp_path: Path) -> None:
    source = labels(a=(SQUARE, BOXED), b=())
    for name in source.images:
        picture(tmp_path / name)
    imported = add(versions, source, tmp_path, split="test")
    assert (imported.objects, imported.notes) == (2, ())
    version = versions.read()
    assert version.classes == ("cat", "dog")
    assert {entry.split for entry in version.entries} == {"test"}
    assert read_labels(versions.store, version.entries, Progress()) == source.images
    assert not add(versions, source, tmp_path).added.new


def test_what_is_exported_and_imported_is_nothing_new(versions: Versions, tmp_path: Path) -> None:
    source = labels(a=(SQUARE, BOXED), b=())
    for name in source.images:
        picture(tmp_path / "images" / name)
    add(versions, source, tmp_path / "images")
    exported = export_labels(versions, None, tmp_path / "out", coco.write, Progress())
    assert (exported.version, exported.images, exported.objects, exported.notes) == (1, 2, 2, ())
    again = add(versions, coco.read(tmp_path / "out" / coco.FILE), tmp_path / "out" / "images")
    assert not again.added.new


def test_a_relabelled_picture_sends_its_labels_alone(versions: Versions, tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    add(versions, labels(a=(SQUARE,), b=(SQUARE,)), tmp_path)
    added = add(versions, labels(a=(SQUARE,), b=(BOXED,)), tmp_path).added
    assert (added.objects, added.version.header.changed) == (1, 1)


def test_pictures_without_labels_are_counted(versions: Versions, tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "more/c.jpg"):
        picture(tmp_path / "images" / name)
    imported = add(versions, labels(a=(SQUARE,)), tmp_path / "images")
    assert imported.notes == ("Not imported, as without labels: 2 pictures.",)


def test_pictures_that_are_missing_or_of_another_size_are_refused_or_counted(
    versions: Versions, tmp_path: Path
) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png", width=9)
    (tmp_path / "c.png").write_bytes(b"no picture")
    picture(tmp_path / "e.png")
    # The size can be read of it, the pixels cannot.
    (tmp_path / "e.png").write_bytes((tmp_path / "e.png").read_bytes()[:-40])
    source = labels(a=(SQUARE,), b=(SQUARE,), c=(), d=(), e=(SQUARE,))
    with pytest.raises(DatasetError) as caught:
        add(versions, source, tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 annotations cannot be used:"
    assert "e.png is not a usable image" in lines[4]
    assert "b.png has 9 x 6 pixels, its annotation says 8 x 6" in lines[1]
    assert "c.png is not a usable image" in lines[2]
    assert "There is no picture" in lines[3]
    assert versions.latest() is None
    imported = add(versions, source, tmp_path, skip=True)
    assert [entry.name for entry in imported.added.version.entries] == ["a.png"]
    assert imported.notes[0].startswith("Left out as unusable: 4 annotations. ")
    assert imported.objects == 1


def test_outlines_that_cross_themselves_are_counted(versions: Versions, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    bow = Shape(category="cat", polygons=(Polygon((1, 1, 6, 5, 6, 1, 1, 5)),))
    imported = add(versions, labels(a=(SQUARE, bow, bow)), tmp_path)
    assert imported.notes == ("Outlines that cross themselves, whose parts count by the even-odd rule: 2 objects.",)


def test_no_picture_at_all_is_an_error(versions: Versions, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="None of 1 picture can be used"):
        add(versions, labels(a=()), tmp_path, skip=True)


def test_labels_of_turned_pictures_are_turned_with_them_where_they_are_of_the_stored_pixels(
    versions: Versions, tmp_path: Path
) -> None:
    picture(tmp_path / "a.jpg", orientation=6)  # seen with 6 x 8 pixels
    stored = LabelSet(categories=labels().categories, images={"a.jpg": labels(a=(SQUARE,)).images["a.png"]})
    with pytest.raises(
        DatasetError, match=r"a\.jpg is turned by its EXIF .* of 6, and its labels are not: .*8 x 6"
    ) as caught:
        add(versions, stored, tmp_path)
    assert "--exif stored" in str(caught.value)
    add(versions, stored, tmp_path, exif="stored")
    (turned,) = read_labels(versions.store, versions.read().entries, Progress()).values()
    assert (turned.width, turned.height) == (6, 8)
    assert turned.shapes[0].polygons == (Polygon((5, 1.5, 5, 6.25, 1, 6.25, 1, 1.5)),)


def test_labels_of_turned_pictures_stay_where_they_are_of_the_picture_as_it_is_seen(
    versions: Versions, tmp_path: Path
) -> None:
    picture(tmp_path / "a.jpg", width=6, height=8, orientation=6)
    seen = LabelSet(categories=labels().categories, images={"a.jpg": labels(a=(SQUARE,)).images["a.png"]})
    add(versions, seen, tmp_path)
    assert read_labels(versions.store, versions.read().entries, Progress()) == seen.images


def test_where_the_size_does_not_tell_it_has_to_be_said_what_labels_are_of(versions: Versions, tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", orientation=HALF_TURN)
    source = LabelSet(categories=labels().categories, images={"a.jpg": labels(a=(SQUARE,)).images["a.png"]})
    with pytest.raises(DatasetError, match=r"as it is seen or as it is stored\.\n.*--exif upright"):
        add(versions, source, tmp_path)
    add(versions, source, tmp_path, exif="upright")
    assert read_labels(versions.store, versions.read().entries, Progress()) == source.images
    add(versions, source, tmp_path, exif="stored")
    (turned,) = read_labels(versions.store, versions.read().entries, Progress()).values()
    assert turned.shapes[0].polygons == (Polygon((6.5, 5, 1.75, 5, 1.75, 1, 6.5, 1)),)


def test_shares_of_the_sides_of_a_turned_picture_may_be_of_either(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.jpg", orientation=6)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    with pytest.raises(DatasetError, match="as it is seen or as it is stored"):
        yolo.read(tmp_path, names=["cat"])
    assert yolo.read(tmp_path, names=["cat"], exif="stored").images["a.jpg"].shapes[0].box == Box(3, 1.5, 2, 3)
    assert yolo.read(tmp_path, names=["cat"], exif="upright").images["a.jpg"].shapes[0].box == Box(2.25, 2, 1.5, 4)


def test_classes_that_would_get_other_numbers_are_refused(versions: Versions, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    add(versions, labels(a=(SQUARE,)), tmp_path)
    other = LabelSet(categories=(Category(id=1, name="dog"), Category(id=2, name="cat")), images=labels(a=()).images)
    with pytest.raises(DatasetError, match="has the classes cat, dog; these labels have dog, cat"):
        add(versions, other, tmp_path, numbered=True)
    assert add(versions, other, tmp_path).added.version.classes == ("cat", "dog")
    more = LabelSet(categories=(*labels().categories, Category(id=3, name="bird")), images=labels(a=()).images)
    assert add(versions, more, tmp_path, numbered=True).added.version.classes == ("cat", "dog", "bird")


def test_a_folder_with_files_is_not_exported_into(versions: Versions, tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a.png")
    add(versions, labels(a=(SQUARE,)), tmp_path / "in")
    with pytest.raises(DatasetError, match="is not empty"):
        export_labels(versions, None, tmp_path / "in", coco.write, Progress())
    with pytest.raises(DatasetError, match=r"@1 has no pictures with boxes, polygons or masks in train"):
        export_labels(versions, None, tmp_path / "out", coco.write, Progress(), split="train")
    with pytest.raises(StoreError, match="has no version 7"):
        export_labels(versions, 7, tmp_path / "out", coco.write, Progress())
