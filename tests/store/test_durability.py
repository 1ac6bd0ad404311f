"""What a power cut must not take: contents are on the disk before a version names them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgerig.errors import StoreError
from edgerig.progress import Progress
from edgerig.store import Entry, Store, Versions, open_dataset, open_store
from edgerig.store.objects import key_of
from edgerig.store.replicate import replicate
from edgerig.store.store import Store as StoreClass


class Synced:
    """Every file and folder that was brought to the disk, in order, and which versions were there by then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.calls: list[tuple[Path, frozenset[str]]] = []
        fsync = os.fsync

        def record(descriptor: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            self.calls.append((path, frozenset(each.name for each in folder.rglob("v*.json"))))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", record)

    def before(self, version: str) -> set[Path]:
        return {path for path, versions in self.calls if version not in versions}

    @property
    def all(self) -> set[Path]:
        return {path for path, _ in self.calls}


def add(versions: Versions, *contents: bytes) -> None:
    base = versions.read() if versions.latest() is not None else None
    stored = [versions.store.objects.add(content) for content in contents]
    entries = [Entry(name=f"{each.sha256[:8]}.png", sha256=each.sha256, size=each.size) for each in stored]
    versions.commit([*(base.entries if base else ()), *entries], base=base)


def paths(store: Store) -> set[Path]:
    assert store.folder is not None
    return {store.folder / key for page in store.pages("objects") for key in page}


def test_contents_and_their_folders_are_on_the_disk_before_a_version_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions, _ = open_dataset(str(tmp_path / "store" / "street"), writing=True)
    # Sent by a process that died before its version: nothing says that it is on the disk.
    versions.store.objects.add(b"left behind")
    synced = Synced(monkeypatch, tmp_path)
    add(versions, *(b"%d" % number for number in range(40)), b"left behind")
    objects = paths(versions.store)
    assert len(objects) == 41
    before = synced.before("v000001.json")
    assert objects | {path.parent for path in objects} <= before
    assert {tmp_path, tmp_path / "store", tmp_path / "store" / "objects"} <= before
    assert {tmp_path / "store/street/v000001.json", tmp_path / "store/street"} <= synced.all - before
    synced.calls.clear()
    add(versions, b"one more")
    (new,) = paths(versions.store) - objects
    assert new in synced.before("v000002.json")
    assert not objects & synced.all, "what an earlier version named is on the disk"


def test_copies_of_a_dataset_are_on_the_disk_before_their_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = open_dataset("memory://durable/street", writing=True)
    add(source, b"1")
    add(source, b"2")
    target, _ = open_dataset(str(tmp_path / "store" / "street"), writing=True)
    synced = Synced(monkeypatch, tmp_path)
    replicate(source, target, None, Progress())
    for number, entry in enumerate(sorted(source.read(1).entries, key=lambda each: each.name), 1):
        assert tmp_path / "store" / key_of(entry.sha256) in synced.before(f"v{number:06d}.json")
    assert paths(target.store) <= synced.before("v000002.json")


def test_a_full_disk_is_said_and_no_version_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions, _ = open_dataset(str(tmp_path / "store" / "street"), writing=True)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="No space left on device"):
        add(versions, b"1")
    assert versions.latest() is None


@pytest.mark.parametrize("odd", ["folder", "link"])
def test_what_is_in_the_place_of_a_version_is_said(tmp_path: Path, odd: str) -> None:
    versions, _ = open_dataset(str(tmp_path / "store" / "street"), writing=True)
    place = tmp_path / "store" / "street" / "v000001.json"
    place.parent.mkdir()
    place.mkdir() if odd == "folder" else place.symlink_to("nowhere")
    with pytest.raises(StoreError, match=r"v000001|@1"):
        add(versions, b"1")


def test_a_version_that_vanishes_between_two_looks_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = Versions(open_store("memory://vanishing", writing=True), "street")
    create, answers = StoreClass.create, [False]

    def first_refused(self: Store, key: str, data: bytes) -> bool:
        return answers.pop() if answers else create(self, key, data)

    monkeypatch.setattr(StoreClass, "create", first_refused)
    add(versions, b"1")
    assert versions.numbers() == [1]
