"""Which files of a folder become which entries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgerig.errors import StoreError, UsageError
from edgerig.store.folders import folder_files

PICTURES = (".png", ".jpg")


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode("utf-8", "surrogateescape"))
    return root


def rows(root: Path, **options) -> list[tuple[str, str | None, str | None]]:
    return [(file.name, file.split, file.label) for file in folder_files(root, **options).files]


def test_folders_are_classes(tmp_path: Path) -> None:
    fill(tmp_path, "car/1.png", "car/night/2.png", "bus/ä 1.png")
    assert rows(tmp_path) == [
        ("bus/ä 1.png", None, "bus"),
        ("car/1.png", None, "car"),
        ("car/night/2.png", None, "car"),
    ]
    assert folder_files(tmp_path).classes == ("bus", "car")


def test_folders_called_after_splits_are_splits(tmp_path: Path) -> None:
    fill(tmp_path, "train/car/1.png", "val/car/2.png", "test/bus/3.png")
    expected = [
        ("test/bus/3.png", "test", "bus"),
        ("train/car/1.png", "train", "car"),
        ("val/car/2.png", "validation", "car"),
    ]
    assert rows(tmp_path) == expected
    assert rows(tmp_path, split="test")[1] == ("train/car/1.png", "test", "car")


def test_a_class_may_be_called_after_a_split(tmp_path: Path) -> None:
    fill(tmp_path, "train/1.png", "bus/2.png")
    assert rows(tmp_path) == [("bus/2.png", None, "bus"), ("train/1.png", None, "train")]
    only = fill(tmp_path / "only", "train/1.png")
    assert rows(only) == [("train/1.png", None, "train")]


def test_pictures_alone_have_no_labels(tmp_path: Path) -> None:
    fill(tmp_path, "1.png", "more/2.png")
    assert rows(tmp_path) == [("1.png", None, None), ("more/2.png", None, None)]
    splits = fill(tmp_path / "splits", "train/1.png", "test/2.png")
    assert rows(splits) == [("test/2.png", "test", None), ("train/1.png", "train", None)]
    assert rows(fill(tmp_path / "classes", "car/1.png"), labelled=False) == [("car/1.png", None, None)]


def test_what_is_no_picture_is_counted_and_what_is_hidden_is_not_there(tmp_path: Path) -> None:
    fill(tmp_path, "car/1.PNG", "car/notes.txt", "car/README", ".git/x.png", "car/.DS_Store", "Thumbs.db")
    content = folder_files(tmp_path, suffixes=PICTURES)
    assert [file.name for file in content.files] == ["car/1.PNG"]
    assert content.skipped == {".txt": 1, "no suffix": 1}
    assert len(folder_files(tmp_path).files) == 3


def test_names_that_are_one_file_elsewhere_are_said(tmp_path: Path) -> None:
    fill(tmp_path, "a/x.png", "a/X.png", "a/e\u0301.png", "a/\u00e9.png")
    assert folder_files(tmp_path).colliding == (("a/X.png", "a/x.png"), ("a/e\u0301.png", "a/\u00e9.png"))


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "a/1.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert [file.name for file in folder_files(tmp_path).files] == ["a/1.png"]


def test_what_cannot_be_imported_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        folder_files(tmp_path / "none")
    with pytest.raises(UsageError, match="holds no files"):
        folder_files(tmp_path)
    fill(tmp_path, "a.txt")
    with pytest.raises(UsageError, match=r"no files of these kinds, but 1 others\.\nKinds: \.png"):
        folder_files(tmp_path, suffixes=PICTURES)
    fill(tmp_path, "bad\udcff.png")
    with pytest.raises(StoreError, match="control characters or no text"):
        folder_files(tmp_path)


def test_pipes_are_left_out_and_counted_and_never_read(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"1")
    os.mkfifo(tmp_path / "pipe.png")
    content = folder_files(tmp_path, suffixes=(".png",))
    assert [file.name for file in content.files] == ["1.png"]
    assert content.skipped == {"pipe or device": 1}
