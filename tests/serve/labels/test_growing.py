"""What comes while people label: classes, pictures, other contents of pictures; and what an end or a stranger must not
break."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.serve.labels.conftest import Page, box, image, labelling, labels_in, make, newest, stroke

from edgerig.datasets.labels.canonical import to_json
from edgerig.datasets.labels.shapes import Box, ImageLabels, Shape
from edgerig.errors import StorageError, UsageError
from edgerig.serve.labels import committing, journal, server
from edgerig.serve.labels.dataset import LabelledDataset
from edgerig.serve.labels.journal import Journal, archive, open_journal
from edgerig.serve.labels.journal_lines import Added
from edgerig.store import Entry, Versions, open_dataset


def add_pictures(address: Path, *names: str, classes: tuple[str, ...] = ()) -> None:
    """Another program imports pictures, and perhaps classes."""
    versions, _ = open_dataset(str(address), writing=True)
    version = versions.read()
    stored = versions.store.objects.add(image(64, 48))
    entries = [Entry(name=name, sha256=stored.sha256, size=stored.size) for name in names]
    kept = [entry for entry in version.entries if entry.name not in names]
    versions.commit([*kept, *entries], base=version, classes=(*version.classes, *classes))


def names_of(message: dict[str, Any]) -> list[str]:
    return [each["name"] for each in message["classes"]]


def test_a_class_that_somebody_adds_is_there_for_everybody_and_in_the_version(street: Path) -> None:
    with labelling(street) as running:
        ann, bob = Page(running.address.port, "Ann"), Page(running.address.port, "Bob")
        ann.open("0.png")
        assert ann.do("0.png", stroke(5, 5, label="bus"))["type"] == "refused"
        ann.say({"type": "class", "name": " bus "})
        for page in (ann, bob):
            assert names_of(page.hear("classes")) == ["car", "road", "tree", "bus"]
        assert bob.do("0.png", stroke(5, 5, label="bus"))["type"] == "taken"
        for name, said in (("ignore", None), ("bus", None), ("a\nb", "usable name"), ("", "usable name")):
            bob.say({"type": "class", "name": name})
            if said is not None:
                assert said in bob.hear("problem")["message"]
        assert names_of(Page(running.address.port).welcome) == ["car", "road", "tree", "bus"]
    version = newest(street / "street")
    assert version.classes == ("car", "road", "tree", "bus")
    assert [shape.category for shape in labels_in(street / "street", "0.png").shapes] == ["bus"]


def test_a_class_alone_is_committed_too_and_outlasts_a_restart_before(street: Path) -> None:
    with labelling(street, commit=False) as running:
        page = Page(running.address.port)
        page.say({"type": "class", "name": "bus"})
        page.hear("classes")
    with labelling(street) as running:
        page = Page(running.address.port)
        assert names_of(page.welcome) == ["car", "road", "tree", "bus"]
        page.say({"type": "commit"})
        assert page.hear("committed")["classes"] == ["bus"]
        page.say({"type": "commit"})
        assert page.hear("committed")["classes"] == [], "once is enough"
    assert (newest(street / "street").version, newest(street / "street").note) == (2, "new classes: bus")


def test_pictures_and_classes_that_others_add_appear_and_their_labels_outlast_a_restart(
    street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committing, "LOOK", 0.05)
    with labelling(street, commit=False) as running:
        page = Page(running.address.port)
        add_pictures(street / "street", "new/1.png", "new/2.png", classes=("bus",))
        assert [each["name"] for each in page.hear("pictures")["pictures"]] == ["new/1.png", "new/2.png"]
        assert names_of(page.hear("classes"))[-1] == "bus"
        assert page.open("new/2.png")["width"] == 64
        assert page.do("new/2.png", stroke(5, 5, label="bus"))["type"] == "taken"
        assert page.do("1.png", box("b", 1, 2, 30, 40))["type"] == "taken"
    with labelling(street) as running:
        page = Page(running.address.port)
        assert page.open("new/2.png")["records"]
        assert [each["name"] for each in page.welcome["pictures"]][-2:] == ["new/1.png", "new/2.png"]
    version = newest(street / "street")
    assert (version.version, version.header.changed) == (3, 2)
    assert [shape.category for shape in labels_in(street / "street", "new/2.png").shapes] == ["bus"]


def test_a_class_that_others_added_keeps_its_number(street: Path) -> None:
    with labelling(street) as running:
        page = Page(running.address.port)
        page.open("0.png")
        page.do("0.png", stroke(5, 5))
        add_pictures(street / "street", "new.png", classes=("bus",))
        page.say({"type": "class", "name": "bike"})
        page.hear("classes")
    assert newest(street / "street").classes == ("car", "road", "tree", "bus", "bike")


def test_labels_of_a_picture_whose_content_others_replaced_are_of_the_new_one(street: Path) -> None:
    with labelling(street) as running:
        page = Page(running.address.port)
        page.open("0.png")
        page.do("0.png", box("inside", 1, 2, 30, 40))
        page.do("1.png", stroke(9, 9))
        add_pictures(street / "street", "0.png")
        page.say({"type": "commit"})
        page.hear("committed")
        assert page.open("0.png")["width"] == 64
    labels = labels_in(street / "street", "0.png")
    assert (labels.width, labels.height, labels.shapes[0].box) == (64, 48, Box(1, 2, 30, 40))


def test_one_picture_whose_labels_fit_no_more_keeps_no_other_from_the_version(street: Path) -> None:
    with labelling(street) as running:
        page = Page(running.address.port)
        page.open("0.png")
        page.do("0.png", box("far", 200, 200, 30, 30))
        page.do("1.png", stroke(9, 9))
        add_pictures(street / "street", "0.png")
        page.say({"type": "commit"})
        message = page.hear("committed")
        assert (message["left"], message["pictures"]) == (["0.png"], 1)
    assert labels_in(street / "street", "1.png").shapes
    assert newest(street / "street").by_name()["0.png"].annotation is None


def test_a_version_that_is_not_the_newest_is_refused(street: Path) -> None:
    add_pictures(street / "street", "new.png")
    with (
        pytest.raises(UsageError, match=r"Version 1 of .* is not its newest, 2"),
        labelling(street, dataset=f"{street}/street@1"),
    ):
        pass
    with labelling(street, dataset=f"{street}/street@2") as running:
        assert len(Page(running.address.port).welcome["pictures"]) == 4


def test_versions_are_read_once_however_many_pictures_are_upon_them(
    street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.png" for number in range(12)]
    make(street / "many", {name: image(32, 24) for name in names})
    settings: dict[str, Any] = {"dataset": str(street / "many"), "journal": street / "other"}
    versions, _ = open_dataset(str(street / "many"), writing=True)
    with labelling(street, commit=False, **settings) as running:
        page = Page(running.address.port)
        for name in names:
            page.open(name)
            page.do(name, stroke(5, 5))
        version = versions.read()
        theirs = ImageLabels(width=32, height=24, shapes=(Shape(category="car", box=Box(1, 1, 5, 5)),))
        annotation = versions.store.objects.add(to_json(theirs)).sha256
        versions.commit(
            [msgspec.structs.replace(each, annotation=annotation) for each in version.entries],
            base=version,
            classes=version.classes,
        )
        page.say({"type": "commit"})
        assert page.hear("committed")["pictures"] == 12
        page.do("0.png", stroke(9, 9))
    read, count = Versions.read, [0]

    def counted(self: Versions, number: int | None = None) -> Any:
        count[0] += 1
        return read(self, number)

    monkeypatch.setattr(Versions, "read", counted)
    with labelling(street, commit=False, **settings):
        pass
    assert count[0] <= 4, "each version once"


def test_who_opens_a_journal_while_another_puts_it_aside_gets_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_journal(tmp_path, "data/street", 1)
    opened, flock = threading.Event(), journal.fcntl.flock

    def later(descriptor: int, how: int) -> None:
        # The other has opened the file, and not locked it, when the first one puts it aside and lets it go.
        if not opened.is_set():
            opened.set()
            archive(first)
            first.close()
        flock(descriptor, how)

    monkeypatch.setattr(journal.fcntl, "flock", later)
    second = open_journal(tmp_path, "data/street", 2)
    assert second.beginning.version == 2
    assert os.path.samestat(os.fstat(second._descriptor), second.path.stat())
    second.close()


def test_nothing_is_written_to_a_journal_that_is_closed(tmp_path: Path) -> None:
    closed = open_journal(tmp_path / "journal", "data/street", 1)
    closed.close()
    closed.close()
    # The next file gets the number that the journal had.
    with (tmp_path / "another").open("w+b") as another:
        with pytest.raises(StorageError, match="is closed"):
            asyncio.run(closed.append(Added(classes=("late",))))
        assert another.read() == b""


def test_what_is_being_taken_when_the_server_is_stopped_is_in_the_version(
    street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, held, go = Journal._store, threading.Event(), threading.Event()

    def slow(self: Journal, data: bytes) -> None:
        if b'"stroke"' in data:
            held.set()
            go.wait(10)
        store(self, data)

    monkeypatch.setattr(Journal, "_store", slow)
    with labelling(street) as running:
        page = Page(running.address.port)
        page.open("0.png")
        page.say({"type": "do", "picture": "0.png", "id": "late", "upon": 0, "operation": stroke(5, 5)})
        assert held.wait(10)
        threading.Timer(0.3, go.set).start()
    assert labels_in(street / "street", "0.png").shapes


def test_the_journal_of_a_dataset_begins_anew_once_its_classes_are_in_the_store(street: Path) -> None:
    dataset = LabelledDataset(str(street / "street"))
    begun = open_journal(street / "journal", dataset.address, 1)
    asyncio.run(begun.append(Added(classes=("bus",))))
    begun.close()
    add_pictures(street / "street", "new.png")
    dataset = LabelledDataset(str(street / "street"))
    kept = server.journal_of(street / "journal", dataset)
    assert (kept.beginning.version, kept.classes) == (1, ["bus"])
    kept.close()
    add_pictures(street / "street", "newer.png", classes=("bus",))
    fresh = server.journal_of(street / "journal", LabelledDataset(str(street / "street")))
    assert (fresh.beginning.version, fresh.classes) == (3, [])
    fresh.close()
