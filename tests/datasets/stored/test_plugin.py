"""A version in a store as a dataset: fetched by content, settled once, split the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.base import Dataset
from edgerig.datasets.stored.fetch import cached_path
from edgerig.errors import DamagedObjectError, DatasetError, SpecError, StoreError, UsageError
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.store import Entry, Version, Versions, open_store
from edgerig.store.adding import add_files
from edgerig.store.folders import folder_files
from edgerig.store.objects import key_of
from edgerig.testing.contracts.dataset import DatasetContract

Fill = Callable[..., Version]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "store" / "objects"


@pytest.fixture
def fill(tmp_path: Path) -> Fill:
    """Commits folders of pictures by class, each of one colour of its own, as the next version of ``store/street``."""

    def make_version(count: int = 6, *, first: int = 0, **options) -> Version:
        root = tmp_path / f"photos-{first}-{count}"
        for index, name in enumerate(("cat", "dog")):
            (root / name).mkdir(parents=True)
            for number in range(first, first + count):
                Image.new("RGB", (12, 8), (number, 80 * index, 7)).save(root / name / f"{number} é.png")
        content = folder_files(root)
        versions = Versions(open_store(str(tmp_path / "store"), writing=True), "street")
        return add_files(versions, content.files, content.classes, Progress(), **options).version

    return make_version


def stored(folder: Path, at: str = "", **options: object) -> Dataset:
    return make("dataset", f"{folder}/store/street{at}", Dataset, {"size": 8, **options})


class TestStoredKeepsTheContract(DatasetContract):
    @pytest.fixture
    def dataset(self, fill: Fill, tmp_path: Path) -> Dataset:
        fill(10)
        return stored(tmp_path)


def test_pictures_and_labels_are_those_of_the_version(fill: Fill, tmp_path: Path) -> None:
    fill()
    dataset = stored(tmp_path, "@1")
    assert dataset.classes == ("cat", "dog")
    samples = [dataset.split(split) for split in ("train", "validation", "test")]
    assert [len(each) for each in samples] == [8, 2, 2]
    reds = set()
    for each in samples:
        for index, label in enumerate(each.labels):
            red, green, blue = each.raw(index)[0, 0]
            assert (green, blue) == (80 * label, 7)
            reds.add((int(red), int(label)))
    assert reds == {(number, label) for number in range(6) for label in (0, 1)}


def test_splits_that_entries_say_are_theirs(fill: Fill, tmp_path: Path) -> None:
    version = fill()
    rows = [
        msgspec.structs.replace(entry, split=("test", "train", None)[number % 3])
        for number, entry in enumerate(version.entries)
    ]
    Versions(open_store(str(tmp_path / "store"), writing=True), "street").commit(
        rows, base=version, classes=version.classes
    )
    dataset = stored(tmp_path, "@2", validation=0)
    assert [len(dataset.split("test")), len(dataset.split("train"))] == [4, 8]
    names = dataset.split("test").entry_names  # type: ignore[attr-defined]
    assert names == [entry.name for entry in rows if entry.split == "test"]


def test_without_a_number_the_newest_is_settled_on_once(fill: Fill, tmp_path: Path) -> None:
    fill()
    dataset = stored(tmp_path)
    first = dataset.pinned()
    second = fill(8, first=6)
    assert dataset.pinned() == first == {"address": f"{tmp_path}/store/street@1", "sha256": first["sha256"]}
    assert len(dataset.split("train")) == 8
    assert dataset.name == f"{tmp_path}/store/street@1"
    assert stored(tmp_path).pinned() == {"address": f"{tmp_path}/store/street@2", "sha256": second.sha256}
    assert type(dataset).unpinned({**first, "size": 8}) == {"address": f"{tmp_path}/store/street", "size": 8}


def test_a_version_that_is_settled_on_needs_no_store(fill: Fill, tmp_path: Path) -> None:
    fill()
    dataset = stored(tmp_path)
    fingerprint, settled = dataset.split("test").fingerprint, dataset.pinned()
    (tmp_path / "store").rename(tmp_path / "away")
    again = make("dataset", "stored", Dataset, {**settled, "size": 8})
    assert again.split("test").fingerprint == fingerprint
    with pytest.raises(StoreError, match="There is no folder"):
        stored(tmp_path).prepare()


def test_another_version_under_the_same_number_is_refused(fill: Fill, tmp_path: Path) -> None:
    version = fill()
    with pytest.raises(DatasetError, match=rf"its SHA-256 is {version.sha256}, not {'0' * 64}"):
        stored(tmp_path, "@1", sha256="0" * 64).prepare()
    stored(tmp_path, "@1", sha256=version.sha256).prepare()
    second = fill(2, first=200)
    with pytest.raises(DatasetError, match=f"its SHA-256 is {second.sha256}, not {version.sha256}"):
        stored(tmp_path, "@2", sha256=version.sha256).pinned()  # that of version 1, which is in the cache
    with pytest.raises(SpecError, match="sha256"):
        stored(tmp_path, "@1", sha256="x")


def test_only_what_is_not_in_the_cache_whole_is_fetched(fill: Fill, tmp_path: Path, own_cache: Path) -> None:
    version = fill()
    stored(tmp_path).prepare()
    assert len(list(own_cache.rglob("*.png"))) == 12
    changed, gone = (cached_path(entry.sha256, entry.name) for entry in version.entries[:2])
    changed.write_bytes(b"x" * changed.stat().st_size)
    gone.unlink()
    for entry in version.entries[2:]:
        open_store(str(tmp_path / "store"), writing=True).delete(key_of(entry.sha256))
    dataset = stored(tmp_path)
    dataset.prepare()
    assert len(dataset.split("train")) == 8


@pytest.mark.parametrize("damage", [None, b"", b"no picture"])
def test_a_damaged_object_is_an_error_that_names_it(fill: Fill, tmp_path: Path, damage: bytes | None) -> None:
    entry = fill().entries[3]
    store = open_store(str(tmp_path / "store"), writing=True)
    store.delete(key_of(entry.sha256)) if damage is None else store.put(key_of(entry.sha256), damage)
    with pytest.raises(DamagedObjectError, match=entry.sha256):
        stored(tmp_path).prepare()


def test_what_is_no_picture_is_called_by_its_name(fill: Fill, tmp_path: Path) -> None:
    version = fill()
    versions = Versions(open_store(str(tmp_path / "store"), writing=True), "street")
    content = versions.store.objects.add(b"no picture")
    entry = Entry(name="cat/bad one.png", sha256=content.sha256, size=content.size, label="cat")
    versions.commit([*version.entries, entry], base=version, classes=version.classes)
    with pytest.raises(DatasetError, match=r"^cat/bad one\.png is not a usable image"):
        stored(tmp_path).prepare()


def test_what_cannot_be_learned_from_is_said(fill: Fill, tmp_path: Path, heard) -> None:
    version = fill()
    versions = Versions(open_store(str(tmp_path / "store"), writing=True), "street")
    unlabelled = [msgspec.structs.replace(entry, label=None) for entry in version.entries]
    versions.commit([*version.entries[1:], unlabelled[0]], base=version, classes=version.classes)
    stored(tmp_path).prepare(heard)
    assert any("1 file without a label, not used" in line for line in heard.lines)
    base = versions.read()
    versions.commit(unlabelled, base=base, classes=version.classes)
    with pytest.raises(DatasetError, match=r"No picture of .*street@3 has a label"):
        stored(tmp_path).prepare()
    strange = [msgspec.structs.replace(version.entries[0], split="dev"), *version.entries[1:]]
    versions.commit(strange, base=versions.read(), classes=version.classes)
    with pytest.raises(DatasetError, match="is of the split 'dev'"):
        stored(tmp_path).prepare()


def test_a_grey_picture_comes_in_one_channel(fill: Fill, tmp_path: Path) -> None:
    fill()
    dataset = stored(tmp_path, channels=1)
    assert dataset.split("test").inputs(np.arange(1), dataset.preprocessing).shape == (1, 8, 8, 1)


@pytest.mark.parametrize("name", ["my photos", "photos", "notes.txt"])
def test_what_is_no_dataset_in_a_store_is_told_what_reads_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("x") if path.suffix else path.mkdir()
    with pytest.raises(UsageError, match="edgerig list datasets" if path.suffix else f"--dataset-root '{path}'"):
        make("dataset", str(path), Dataset)


def test_a_folder_without_a_slash_is_told_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--dataset folder --dataset-root 'photos'"):
        make("dataset", "photos", Dataset)
