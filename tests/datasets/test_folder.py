from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.base import Dataset
from edgerig.datasets.folder import Folder, FolderSettings
from edgerig.errors import DatasetError, MissingExtraError, SpecError
from edgerig.install import install_command
from edgerig.plugins import make
from edgerig.testing.contracts.dataset import DatasetContract

MakeFolder = Callable[..., Path]


def folder(root: Path, **options: object) -> Folder:
    return Folder(FolderSettings(root=str(root), **options))  # type: ignore[arg-type]


def names(dataset: Folder, split: str) -> set[str]:
    samples = dataset.split(split)  # type: ignore[arg-type]
    return {f"{path.parent.name}/{path.name}" for path in samples.paths}  # type: ignore[attr-defined]


class TestFolderKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, make_folder: MakeFolder) -> Dataset:
        return make("dataset", "folder", Dataset, {"root": str(make_folder()), "size": "8"})


class TestFolderWithSplitsKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, make_folder: MakeFolder) -> Dataset:
        for split, count in (("train", 4), ("val", 2), ("test", 3)):
            root = make_folder(count, root=f"ready/{split}")
        return folder(root.parent, channels=1)


def test_each_image_is_in_one_split_and_each_class_in_all(make_folder: MakeFolder) -> None:
    dataset = folder(make_folder(10))
    sets = [names(dataset, split) for split in ("train", "validation", "test")]
    assert [len(one) for one in sets] == [21, 3, 6]
    assert len(set.union(*sets)) == 30
    assert dataset.classes == ("cat", "dog", "emu")


def test_splits_depend_on_names_alone(make_folder: MakeFolder, tmp_path: Path) -> None:
    one = folder(make_folder(10))
    before = {split: names(one, split) for split in ("train", "validation", "test")}
    shutil.copytree(tmp_path / "pictures", tmp_path / "elsewhere")
    for path in (tmp_path / "elsewhere").rglob("*.png"):
        path.write_bytes((tmp_path / "pictures/cat/000.png").read_bytes())
    other = folder(tmp_path / "elsewhere")
    assert {split: names(other, split) for split in before} == before


def test_three_images_a_class_are_enough(make_folder: MakeFolder) -> None:
    dataset = folder(make_folder(3))
    assert [len(names(dataset, split)) for split in ("train", "validation", "test")] == [3, 3, 3]


def test_validation_is_split_off_train_where_only_train_and_test_are_there(make_folder: MakeFolder) -> None:
    make_folder(10, root="ready/train")
    dataset = folder(make_folder(2, root="ready/test").parent)
    assert [len(names(dataset, split)) for split in ("train", "validation", "test")] == [27, 3, 6]


def test_the_channels_are_as_asked(make_folder: MakeFolder) -> None:
    root = make_folder(4)
    assert np.asarray(folder(root).split("train").raw(0)).shape[2] == 3
    assert np.asarray(folder(root, channels=1).split("train").raw(0)).shape[2] == 1


def test_an_empty_class_is_named(make_folder: MakeFolder) -> None:
    root = make_folder()
    for path in (root / "dog").iterdir():
        path.unlink()
    (root / "dog" / "notes.txt").write_text("no image")
    with pytest.raises(DatasetError, match="Class 'dog' is empty"):
        folder(root).prepare()


def test_a_class_with_too_few_images_is_named(make_folder: MakeFolder) -> None:
    root = make_folder()
    for path in sorted((root / "emu").iterdir())[2:]:
        path.unlink()
    with pytest.raises(DatasetError, match="Class 'emu' has 2 images") as caught:
        folder(root).prepare()
    assert "at least 3" in str(caught.value.hint)
    folder(root, validation=0.0).prepare()


def test_a_class_that_lacks_in_one_split_is_named(make_folder: MakeFolder) -> None:
    make_folder(4, root="ready/train")
    root = make_folder(4, classes=("cat", "dog"), root="ready/test").parent
    with pytest.raises(DatasetError, match=r"'emu' is empty: .*test has no folder for it"):
        folder(root).prepare()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        folder(tmp_path / "nowhere").prepare()


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folders of images"):
        folder(tmp_path).prepare()


def test_a_single_class_is_refused(make_folder: MakeFolder) -> None:
    with pytest.raises(DatasetError, match="one class only, 'cat'"):
        folder(make_folder(classes=("cat",))).prepare()


def test_a_file_that_is_no_image_is_named_before_anything_starts(make_folder: MakeFolder) -> None:
    root = make_folder()
    (root / "cat" / "004.png").write_text("this is no picture")
    with pytest.raises(DatasetError, match=r"cat/004\.png is not a usable image: no image that Pillow knows"):
        folder(root).prepare()


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tiff"])
def test_a_truncated_image_is_named(make_folder: MakeFolder, suffix: str) -> None:
    root = make_folder()
    path = root / "cat" / f"big.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def read_all() -> None:
        dataset = folder(root)
        for split in ("train", "validation", "test"):
            dataset.split(split).inputs(slice(None), dataset.preprocessing)  # type: ignore[arg-type]

    with pytest.raises(DatasetError, match=rf"big\.{suffix} is not a usable image"):
        read_all()


def test_sideways_photographs_are_turned(make_folder: MakeFolder) -> None:
    root = make_folder(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in (root / "cat").iterdir():
        Image.new("RGB", (40, 10)).save(path.with_suffix(".jpg"), exif=exif)
        path.unlink()
    assert np.asarray(folder(root).split("train").raw(0)).shape == (40, 10, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_picture_becomes_rgb(make_folder: MakeFolder, mode: str) -> None:
    root = make_folder(3)
    for path in (root / "cat").iterdir():
        path.unlink()
        image = Image.fromarray(np.full((5, 6), 0x80FF, np.uint16)) if mode == "I;16" else Image.new(mode, (6, 5), 1)
        image.save(path.with_suffix(".tif"))
    raw = np.asarray(folder(root).split("train").raw(0))
    assert (raw.shape, raw.dtype) == ((5, 6, 3), np.uint8)
    if mode == "I;16":
        assert set(raw.ravel().tolist()) == {0x80}


def test_the_root_is_required() -> None:
    with pytest.raises(SpecError, match="root"):
        make("dataset", "folder", Dataset, {})


def test_without_pillow_the_extra_is_named(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "modules", ("no_such_pillow",))
    with pytest.raises(MissingExtraError) as caught:
        folder(make_folder()).prepare()
    assert caught.value.hint == install_command("images")
