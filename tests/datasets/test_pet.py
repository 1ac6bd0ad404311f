from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.datasets.pet import Pet, PetSettings
from edgerig.errors import DatasetError
from edgerig.plugins import make
from edgerig.testing.contracts.dataset import DatasetContract


def pet(root: Path, **options: object) -> Pet:
    return Pet(PetSettings(root=str(root), **options))  # type: ignore[arg-type]


def edit(root: Path, split: str, old: str, new: str) -> None:
    path = root / "annotations" / f"{split}.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


class TestPetKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, pet_root: Path) -> Dataset:
        return make("dataset", "pet", Dataset, {"root": str(pet_root), "size": 16})


def test_breeds_and_lists_are_read(pet_root: Path) -> None:
    dataset = pet(pet_root)
    assert dataset.classes == ("Abyssinian", "american_bulldog", "Bengal")
    assert [len(dataset.split(split)) for split in ("train", "validation", "test")] == [15, 3, 9]  # type: ignore[arg-type]
    test = dataset.split("test")
    assert {path.stem: int(label) for path, label in zip(test.paths, test.labels, strict=True)}[  # type: ignore[attr-defined]
        "american_bulldog_8"
    ] == 1
    assert test.inputs(slice(0, 4), dataset.preprocessing).shape == (4, 96, 96, 3)


def test_validation_takes_the_same_share_of_each_breed(pet_root: Path) -> None:
    assert np.bincount(pet(pet_root, validation=0.5).split("validation").labels).tolist() == [3, 3, 3]


def test_without_a_root_it_says_how_to_get_the_dataset() -> None:
    with pytest.raises(DatasetError, match="needs to know where it lies") as caught:
        Pet().prepare()
    assert "--dataset-root" in str(caught.value.hint)
    assert "images.tar.gz" in str(caught.value.hint)


def test_a_folder_without_the_lists_says_how_to_get_the_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"annotations/trainval\.txt: No such file") as caught:
        pet(tmp_path).prepare()
    assert "--dataset-root" in str(caught.value.hint)


def test_a_missing_image_is_named(pet_root: Path) -> None:
    (pet_root / "images" / "Bengal_3.jpg").unlink()
    with pytest.raises(DatasetError, match=r"Bengal_3\.jpg: No such file"):
        pet(pet_root).prepare()


@pytest.mark.parametrize(
    "line", ["Bengal_9 3 1", "Bengal_9 three 1 1", "Bengal_9 0 1 1", "Bengal 3 1 1", "../../x_1 3 1 1"]
)
def test_a_malformed_line_is_named(pet_root: Path, line: str) -> None:
    edit(pet_root, "test", "Bengal_9 3 1 1", line)
    with pytest.raises(DatasetError, match=r"test\.txt, line 9: "):
        pet(pet_root).prepare()


def test_a_breed_without_images_in_a_list_is_named(pet_root: Path) -> None:
    path = pet_root / "annotations" / "test.txt"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines() if "american" not in line))
    with pytest.raises(DatasetError, match=r"Class 2 \(american_bulldog\) is empty: test\.txt"):
        pet(pet_root).prepare()


def test_a_gap_in_the_numbers_is_an_empty_class(pet_root: Path) -> None:
    for split in ("trainval", "test"):
        edit(pet_root, split, " 3 1 1", " 5 1 1")
    with pytest.raises(DatasetError, match="Class 3 is empty"):
        pet(pet_root).prepare()


def test_a_class_with_two_names_is_refused(pet_root: Path) -> None:
    edit(pet_root, "test", "Bengal_9 3 1 1", "Bengal_9 1 1 1")
    with pytest.raises(DatasetError, match="Class 1 is called 'Abyssinian' and 'Bengal'"):
        pet(pet_root).prepare()


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe\x00"])
def test_a_list_without_entries_is_refused(pet_root: Path, content: bytes) -> None:
    (pet_root / "annotations" / "trainval.txt").write_bytes(content)
    with pytest.raises(DatasetError, match=r"trainval\.txt"):
        pet(pet_root).prepare()


@pytest.fixture
def trimap_root(pet_root: Path) -> Path:
    """With trimaps of the size of their images: the upper half is pet, the rest background, a row between is border."""
    (pet_root / "annotations" / "trimaps").mkdir()
    for path in (pet_root / "images").glob("*.jpg"):
        with Image.open(path) as image:
            width, height = image.size
        trimap = np.full((height, width), 2, np.uint8)
        trimap[: height // 2], trimap[height // 2] = 1, 3
        Image.fromarray(trimap).save(pet_root / "annotations" / "trimaps" / f"{path.stem}.png")
    return pet_root


class TestPetWithTrimapsKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, trimap_root: Path) -> Dataset:
        return make("dataset", "pet", Dataset, {"root": str(trimap_root), "size": 16, "trimaps": True})


@pytest.mark.parametrize(
    ("border", "classes", "value"),
    [
        ("ignore", ("background", "pet"), -1),
        ("pet", ("background", "pet"), 1),
        ("class", ("background", "pet", "border"), 2),
    ],
)
def test_trimaps_are_masks_of_pet_and_background(
    border: str, classes: tuple[str, ...], value: int, trimap_root: Path
) -> None:
    dataset = pet(trimap_root, trimaps=True, border=border)
    assert dataset.task == "segmentation"
    assert dataset.classes == classes
    assert [len(dataset.split(split)) for split in ("train", "validation", "test")] == [15, 3, 9]  # type: ignore[arg-type]
    samples = dataset.split("test")
    (height, width) = samples.raw(0).shape[:2]
    mask = samples.truth(slice(0, 1), Preprocessing())[0]
    assert mask.shape == (height, width)
    assert (mask[: height // 2] == 1).all()
    assert (mask[height // 2] == value).all()
    assert (mask[height // 2 + 1 :] == 0).all()
    assert samples.take(np.array([1])).fingerprint != samples.take(np.array([0])).fingerprint
    other = pet(trimap_root, trimaps=True, border="pet" if border != "pet" else "ignore")
    assert other.split("test").fingerprint != samples.fingerprint


def test_the_task_segmentation_takes_the_trimaps_by_itself(trimap_root: Path) -> None:
    dataset = pet(trimap_root)
    dataset.task = "segmentation"
    assert dataset.classes == ("background", "pet")


def test_a_trimap_that_is_missing_or_has_another_value_is_named(trimap_root: Path) -> None:
    path = trimap_root / "annotations" / "trimaps" / "Bengal_3.png"
    with Image.open(path) as image:
        values = np.array(image)
    values[0, 0] = 0
    Image.fromarray(values).save(path)
    dataset = pet(trimap_root, trimaps=True, validation=0)
    with pytest.raises(DatasetError, match=r"Bengal_3\.png has pixels of 0; it may have 1, 2, 3"):
        dataset.split("train").truth(slice(None), dataset.preprocessing)
    path.unlink()
    with pytest.raises(DatasetError, match=r"no trimap .*Bengal_3\.png") as caught:
        pet(trimap_root, trimaps=True).prepare()
    assert "annotations.tar.gz" in str(caught.value.hint)
