"""What labelling makes of versions: others' commits, the journal over restarts, datasets that are no good."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.serve.labels.conftest import (
    HEIGHT,
    WIDTH,
    Page,
    box,
    image,
    labelling,
    labels_in,
    make,
    newest,
    stroke,
)
from tests.store.servers import moto_server

from edgerig.datasets.labels import runs
from edgerig.datasets.labels.canonical import to_json
from edgerig.datasets.labels.masks import shape_mask
from edgerig.datasets.labels.shapes import Box, ImageLabels, Polygon, Shape
from edgerig.errors import DatasetError, StorageError, StoreError, UsageError
from edgerig.files import sha256
from edgerig.serve.labels.dataset import LabelledDataset
from edgerig.serve.labels.journal import NAME, open_journal
from edgerig.serve.labels.server import journal_folder, journal_of
from edgerig.store import Version, open_dataset

OVERLAP = np.zeros((HEIGHT, WIDTH), bool)
OVERLAP[20:120, 30:200] = True


def lengths(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(length) for length in runs.encode(mask))


OUTER, HOLE = (5.0, 5.0, 60.0, 5.0, 30.0, 50.5), (20.0, 10.0, 30.0, 10.0, 25.0, 20.0)
#: Shapes as annotation tools make them, with all that may be known of one; two masks that overlap.
SHAPES = (
    Shape(category="car", box=Box(1.25, 2.5, 30.75, 12.0), score=0.5, attributes={"occluded": True}),
    Shape(category="road", runs=lengths(OVERLAP), box=Box(30, 20, 170, 100), area=17_000.0, crowd=True),
    Shape(category="tree", runs=lengths(np.roll(OVERLAP, 10, axis=0))),
    Shape(category="car", polygons=(Polygon(OUTER, (HOLE,)), Polygon((90, 90, 99, 90, 95, 99)))),
)


def annotate(address: Path, name: str, labels: ImageLabels, note: str = "") -> None:
    """Another program writes labels for a picture."""
    versions, _ = open_dataset(str(address), writing=True)
    version = versions.read()
    stored = versions.store.objects.add(to_json(labels))
    entries = [
        msgspec.structs.replace(each, annotation=stored.sha256, extra={**each.extra, "camera": "west"})
        if each.name == name
        else each
        for each in version.entries
    ]
    versions.commit(entries, base=version, classes=version.classes, note=note)


def of(*shapes: Shape) -> ImageLabels:
    return ImageLabels(width=WIDTH, height=HEIGHT, shapes=shapes)


def test_what_nobody_touches_stays_as_it_was(street: Path) -> None:
    annotate(street / "street", "0.png", of(*SHAPES))
    with labelling(street) as server:
        ann = Page(server.address.port)
        assert {each["name"]: each["state"] for each in ann.welcome["pictures"]}["0.png"] == "done"
        shown = ann.open("0.png")["shapes"]
        assert [each["type"] for each in shown] == ["box", "mask", "mask", "polygon"]
        assert shown[3]["parts"] == [[[5, 5, 60, 5, 30, 50.5], [20, 10, 30, 10, 25, 20]], [[90, 90, 99, 90, 95, 99]]]
        ann.do("0.png", box("mine", 200, 200, 20, 20))
    after = labels_in(street / "street", "0.png").shapes
    assert after[:4] == SHAPES
    assert after[4].box == (200, 200, 20, 20)
    assert newest(street / "street").by_name()["0.png"].extra["camera"] == "west"


def test_what_somebody_touches_keeps_the_rest(street: Path) -> None:
    annotate(street / "street", "0.png", of(*SHAPES))
    with labelling(street) as server:
        ann = Page(server.address.port)
        first, second, third, _ = (each["id"] for each in ann.open("0.png")["shapes"])
        ann.do("0.png", {"kind": "relabel", "shape": second, "label": "tree"})
        ann.do("0.png", stroke(40, 30, mask=third, label="tree"))
        ann.do("0.png", box(first, 1, 2, 40, 12))
    boxed, road, tree, polygon = labels_in(street / "street", "0.png").shapes
    assert (boxed.box, boxed.score) == ((1, 2, 40, 12), None)
    assert boxed.attributes == {"occluded": True, "labelled_by": "Ann"}
    # The stroke took pixels from the other mask, so that its box and area are not true any more.
    assert (road.category, road.box, road.area) == ("tree", None, None)
    disc = shape_mask(tree, HEIGHT, WIDTH) & ~np.roll(OVERLAP, 10, axis=0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pen = (columns - 40) ** 2 + (rows - 30) ** 2 <= 20
    np.testing.assert_array_equal(disc, pen & ~np.roll(OVERLAP, 10, axis=0))
    np.testing.assert_array_equal(shape_mask(road, HEIGHT, WIDTH), OVERLAP & ~pen)
    assert polygon == SHAPES[3]


def test_what_others_commit_meanwhile_stays(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        ann.do("0.png", box("b", 0, 0, 9, 9))
        annotate(street / "street", "1.png", of(SHAPES[0]), "by another program")
        assert server.commit()["version"] == 3
        ann.do("0.png", box("c", 9, 9, 9, 9))
    assert [shape.box for shape in labels_in(street / "street", "0.png").shapes] == [(0, 0, 9, 9), (9, 9, 9, 9)]
    assert labels_in(street / "street", "1.png").shapes == (SHAPES[0],)


def test_labels_of_others_for_the_same_picture_and_ours_are_both_in_the_next_version(street: Path) -> None:
    annotate(street / "street", "0.png", of(SHAPES[0], SHAPES[2]))
    with labelling(street) as server:
        ann = Page(server.address.port)
        boxed, mask = (each["id"] for each in ann.open("0.png")["shapes"])
        ann.do("0.png", box("b", 0, 0, 9, 9))
        ann.do("0.png", stroke(300, 200, mask=mask, label="tree"))
        ann.do("0.png", {"kind": "relabel", "shape": boxed, "label": "road"})
        # Another program takes out the box, and adds a polygon.
        annotate(street / "street", "0.png", of(SHAPES[2], SHAPES[3]))
        assert server.commit()["version"] == 4
        tree, polygon, ours = labels_in(street / "street", "0.png").shapes
        assert shape_mask(tree, HEIGHT, WIDTH)[200, 300], "a stroke goes to the mask that is the same in both"
        assert polygon == SHAPES[3]
        assert ours.box == (0, 0, 9, 9)
        shown = ann.hear("picture")
        assert [each["type"] for each in shown["shapes"]] == ["mask", "polygon"]
        # It goes on from there, over another of their versions and a restart: nothing counts twice.
        ann.do("0.png", box("c", 20, 20, 9, 9))
        server.commit()
        annotate(street / "street", "0.png", of(SHAPES[0], *labels_in(street / "street", "0.png").shapes))
        ann.do("0.png", box("d", 40, 40, 9, 9))
        server._commit = False
    with labelling(street) as server:
        assert [each["id"] for each in Page(server.address.port).open("0.png")["records"]][-1].startswith("op")
    boxes = [shape.box for shape in labels_in(street / "street", "0.png").shapes if shape.box]
    assert boxes == [SHAPES[0].box, (0, 0, 9, 9), (20, 20, 9, 9), (40, 40, 9, 9)]


def test_a_server_that_dies_while_it_writes_a_version_writes_nothing_twice(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        ann.do("0.png", box("b", 0, 0, 9, 9))
        server.commit()
    journal = street / "journal" / NAME
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b'"committed"' in lines[-1]
    # The version is in the store, and the journal does not say so yet.
    journal.write_bytes(b"".join(lines[:-1]))
    with labelling(street) as server:
        assert server.commit()["pictures"] == 0
        Page(server.address.port).do("0.png", box("c", 20, 20, 9, 9))
    assert [shape.box for shape in labels_in(street / "street", "0.png").shapes] == [(0, 0, 9, 9), (20, 20, 9, 9)]
    assert newest(street / "street").version == 3


def test_labels_of_others_stay_after_a_commit_that_was_tried_twice_and_a_restart(
    street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotate(street / "street", "0.png", of(SHAPES[0]))
    with labelling(street, commit=False) as server:
        ann = Page(server.address.port)
        ann.do("0.png", box("b", 0, 0, 9, 9))
        ann.do("1.png", box("b", 0, 0, 9, 9))
        annotate(street / "street", "0.png", of(SHAPES[0], SHAPES[3]))
        commit, tries = server._dataset.commit, []

        def commit_after_others(*arguments: Any) -> Version:
            if not tries:
                annotate(street / "street", "1.png", of(SHAPES[1]))
            tries.append(1)
            return commit(*arguments)

        monkeypatch.setattr(server._dataset, "commit", commit_after_others)
        assert (server.commit()["version"], len(tries)) == (5, 2)
        ann.do("0.png", box("c", 20, 20, 9, 9))
    with labelling(street):
        pass
    shapes = labels_in(street / "street", "0.png").shapes
    assert shapes[:2] == (SHAPES[0], SHAPES[3])
    assert [shape.box for shape in shapes[2:]] == [(0, 0, 9, 9), (20, 20, 9, 9)]


def test_labels_of_others_stay_though_the_server_died_while_it_wrote_a_version_upon_theirs(street: Path) -> None:
    annotate(street / "street", "0.png", of(SHAPES[0]))
    with labelling(street, commit=False) as server:
        ann = Page(server.address.port)
        ann.do("0.png", box("b", 0, 0, 9, 9))
        annotate(street / "street", "0.png", of(SHAPES[0], SHAPES[3]))
        assert server.commit()["version"] == 4
    journal = street / "journal" / NAME
    lines = journal.read_bytes().splitlines(keepends=True)
    assert b'"committed"' in lines[-1]
    journal.write_bytes(b"".join(lines[:-1]))
    for number in range(2):
        # The second one finds in the journal what the first one found out.
        with labelling(street, commit=False) as server:
            Page(server.address.port).do("0.png", box(f"c{number}", 20, 20 * number, 9, 9))
            assert server.commit()["pictures"] == 1 + number
            # Something else is not in the store, so that the next server goes on with this journal.
            Page(server.address.port).do("1.png", box("d", 0, 0, 9, 9), f"other{number}")
    shapes = labels_in(street / "street", "0.png").shapes
    assert shapes[:2] == (SHAPES[0], SHAPES[3])
    assert [shape.box for shape in shapes[2:]] == [(0, 0, 9, 9), (20, 0, 9, 9), (20, 20, 9, 9)]


def test_labels_of_others_stay_though_another_picture_was_committed_after_them_and_a_restart(street: Path) -> None:
    with labelling(street, commit=False) as server:
        ann = Page(server.address.port)
        ann.do("0.png", box("b", 0, 0, 9, 9))
        server.commit()
        annotate(street / "street", "0.png", of(*labels_in(street / "street", "0.png").shapes, SHAPES[3]))
        ann.do("1.png", box("b", 0, 0, 9, 9))
        server.commit()
        ann.do("1.png", box("c", 20, 20, 9, 9))
    with labelling(street) as server:
        Page(server.address.port).do("0.png", box("c", 20, 20, 9, 9))
    drawn, theirs, after = labels_in(street / "street", "0.png").shapes
    assert (drawn.box, theirs, after.box) == ((0, 0, 9, 9), SHAPES[3], (20, 20, 9, 9))


def test_a_picture_that_others_removed_is_left_out_and_told(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        ann.do("0.png", box("b", 0, 0, 9, 9))
        ann.do("1.png", box("b", 0, 0, 9, 9))
        versions, _ = open_dataset(str(street / "street"), writing=True)
        version = versions.read()
        versions.commit(
            [each for each in version.entries if each.name != "0.png"], base=version, classes=version.classes
        )
        message = server.commit()
        assert (message["pictures"], message["left"]) == (1, ["0.png"])
    assert len(labels_in(street / "street", "1.png").shapes) == 1


def test_what_was_not_committed_is_there_after_a_restart_and_a_torn_line_is_put_aside(street: Path) -> None:
    with labelling(street, commit=False) as server:
        ann = Page(server.address.port)
        ann.do("0.png", stroke(9, 9))
        ann.do("1.png", stroke(9, 9))
    journal = street / "journal" / NAME
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"type":"operation","record":{"picture":"0.p')
    with labelling(street, commit=False) as server:
        states = {each["name"]: each for each in Page(server.address.port).welcome["pictures"]}
        assert (states["0.png"]["state"], states["0.png"]["uncommitted"]) == ("begun", True)
    assert journal.read_bytes() == whole
    assert next((street / "journal").glob("torn-*")).read_bytes().endswith(b'"0.p')
    lines = whole.splitlines(keepends=True)
    journal.write_bytes(lines[0] + b"damage\n" + b"".join(lines[1:]))
    with pytest.raises(StorageError, match="damaged in line 2"), labelling(street):
        pass


def test_a_journal_has_one_server(street: Path) -> None:
    with labelling(street), pytest.raises(UsageError, match="Another server"), labelling(street):
        pass
    make(street / "other" / "street", {"a.png": image()})
    with pytest.raises(UsageError, match="The journal in"), labelling(street / "other", journal=street / "journal"):
        pass


def test_datasets_that_cannot_be_labelled(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    with pytest.raises(StoreError, match="no folder"), labelling(tmp_path / "nothing"):
        pass
    assert not (tmp_path / "nothing").exists()
    make(tmp_path / "strete", {"a.png": image()})
    with pytest.raises(StoreError, match="no dataset 'street'") as error, labelling(tmp_path):
        pass
    assert "strete" in (error.value.hint or "")
    make(tmp_path / "street", {})
    with pytest.raises(DatasetError, match="has no pictures"), labelling(tmp_path):
        pass
    make(tmp_path / "bare" / "street", {"a.png": image()}, ())
    with pytest.raises(UsageError, match="has no classes") as unclassed, labelling(tmp_path / "bare"):
        pass
    assert "--class" in (unclassed.value.hint or "")
    with labelling(tmp_path / "bare", classes=["dog"]) as server:
        Page(server.address.port).do("a.png", {"kind": "classify", "label": "dog"})
    assert newest(tmp_path / "bare" / "street").classes == ("dog",)


def test_pictures_that_cannot_be_read_are_told_and_the_others_go_on(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    files = {"broken.png": b"no image", "cut.png": image()[:200], "good.png": image()}
    make(tmp_path / "street", {**files, "turned.jpg": image(kind="JPEG", orientation=6)})
    annotate(tmp_path / "street", "turned.jpg", of(SHAPES[0]))
    with labelling(tmp_path) as server:
        ann = Page(server.address.port)
        for name in ("broken.png", "cut.png"):
            assert f"{name} is no usable image" in ann.open(name)["problem"]
            assert ann.do(name, stroke(1, 1))["type"] == "refused"
        # Its labels are of the picture as it is stored, lying on its side.
        assert "320 x 240 pixels, and the picture, upright, has 240 x 320" in ann.open("turned.jpg")["problem"]
        assert ann.do("good.png", stroke(1, 1))["type"] == "taken"
    assert len(labels_in(tmp_path / "street", "good.png").shapes) == 1
    assert labels_in(tmp_path / "street", "turned.jpg").shapes == (SHAPES[0],)


def test_what_is_done_while_the_store_is_away_is_not_refused_and_taken_later(street: Path) -> None:
    digest = newest(street / "street").by_name()["0.png"].sha256
    path = street / "objects" / digest[:2] / digest
    whole = path.read_bytes()
    path.unlink()
    path.symlink_to(path)  # a link to itself cannot be opened, as on a disk that fails
    with labelling(street) as server:
        ann = Page(server.address.port)
        message = ann.do("0.png", box("b", 0, 0, 9, 9), "mine")
        assert message["type"] == "problem", "a page forgets what is refused"
        path.unlink()
        path.write_bytes(whole)
        assert Page(server.address.port).do("0.png", box("b", 0, 0, 9, 9), "mine")["type"] == "taken"
    assert [shape.box for shape in labels_in(street / "street", "0.png").shapes] == [(0, 0, 9, 9)]


def start(
    street: Path, *options: str, program: tuple[str, ...] = ("-m", "edgerig")
) -> tuple[subprocess.Popen[str], int]:
    """``edgerig label`` as a process of its own, and its port."""
    command = [sys.executable, *program, "label", str(street / "street"), "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(
        [*command, "--journal", str(street / "journal"), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on 127.0.0.1:"), process.communicate()[1]
    return process, int(line.split()[2].rpartition(":")[2])


@pytest.mark.slow
def test_a_killed_server_has_all_that_it_acknowledged_and_one_that_is_stopped_commits(street: Path) -> None:
    process, port = start(street)
    ann = Page(port)
    acknowledged = set()
    ann.open("0.png")
    for number in range(60):
        ann.say({"type": "do", "picture": "0.png", "id": f"s{number}", "upon": 0, "operation": stroke(number, number)})
    while len(acknowledged) < 20:
        acknowledged.add(ann.hear("taken")["id"])
    process.kill()
    process.communicate()
    process, port = start(street)
    again = Page(port)
    known = {record["id"] for record in again.open("0.png")["records"]}
    assert acknowledged <= known
    # What was not acknowledged is sent again by the page: nothing counts twice.
    for number in range(60):
        again.do("0.png", stroke(number, number), f"s{number}")
    records = again.open("0.png")["records"]
    assert sorted(record["id"] for record in records) == sorted(f"s{number}" for number in range(60))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "version 2: 1 picture labelled by Ann" in errors
    assert json.loads((street / "street" / "v000002.json").read_text())["version"] == 2


@pytest.mark.slow
def test_what_the_disk_does_not_take_is_not_acknowledged_and_the_page_sends_it_again(street: Path) -> None:
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))"
    process, port = start(
        street, "--no-commit", program=("-c", f"{limit}; import edgerig.cli as c; c.main(sys.argv[1:])")
    )
    try:
        ann = Page(port)
        ann.open("0.png")
        taken = []
        while (message := ann.do("0.png", stroke(len(taken), 5), f"s{len(taken)}"))["type"] == "taken":
            taken.append(message["id"])
        assert 3 < len(taken) < 50
        assert "Could not write" in message["message"]
        while not isinstance(ann.socket.receive(), int):
            pass
        assert [each["id"] for each in Page(port).open("0.png")["records"]] == taken
    finally:
        process.kill()
        process.communicate()
    with labelling(street, commit=False) as server:
        again = Page(server.address.port)
        assert [each["id"] for each in again.open("0.png")["records"]] == taken
        assert again.do("0.png", stroke(9, 5), f"s{len(taken)}")["type"] == "taken"


def two_servers(address: str, tmp_path: Path) -> None:
    """Two servers, as on two machines, label the same pictures of one dataset at once."""
    make(address, {"a.png": image(), "b.png": image()})
    with (
        labelling(tmp_path / "here", dataset=address) as here,
        labelling(tmp_path / "there", dataset=address) as there,
    ):
        ann, bob = Page(here.address.port, "Ann"), Page(there.address.port, "Bob")
        ann.do("a.png", box("one", 0, 0, 9, 9))
        bob.do("a.png", box("two", 20, 20, 9, 9))
        bob.do("b.png", {"kind": "classify", "label": "tree"})
        assert [here.commit()["version"], there.commit()["version"]] == [2, 3]
        ann.do("a.png", box("three", 40, 40, 9, 9))
    boxes = sorted(shape.box[0] for shape in labels_in(address, "a.png").shapes if shape.box)
    assert boxes == [0, 20, 40]
    entries = newest(address).by_name()
    assert (newest(address).version, entries["b.png"].label) == (4, "tree")
    assert entries["a.png"].extra["labelled_by"] == "Ann, Bob"


def test_two_servers_on_one_dataset_lose_nothing(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    two_servers("memory://labelled/street", tmp_path)


@pytest.mark.slow
def test_a_dataset_in_object_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore")
    with moto_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        two_servers("s3://lab/labelled/street", tmp_path)
        journals = b"".join(path.read_bytes() for path in tmp_path.rglob("*.jsonl"))
        assert b"s3://lab/labelled/street" in journals
        assert server.secret.encode() not in journals


@pytest.mark.parametrize("place", ["state", "home"])
def test_the_journal_is_that_of_one_dataset_wherever_its_address_is_typed(
    street: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """`data/street` of two projects are two datasets, and `../data/street` may be one of them."""
    monkeypatch.setenv("EDGERIG_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    shutil.copytree(street, tmp_path / "one" / "data")
    shutil.copytree(street, tmp_path / "two" / "data")
    folders = {}
    for typed in ("one data/street", "two data/street", "one/data ../data/street"):
        where, _, address = typed.partition(" ")
        monkeypatch.chdir(tmp_path / where)
        dataset = LabelledDataset(address)
        folders[typed] = journal_folder(dataset)
        assert folders[typed].parent == tmp_path / "state" / "labels"
    assert folders["one data/street"] == folders["one/data ../data/street"] != folders["two data/street"]
    # Where an earlier version of edgerig kept it, under the address as it was typed.
    monkeypatch.chdir(tmp_path / "one")
    root = tmp_path / "state" if place == "state" else tmp_path / "home" / "edgerig"
    earlier = root / "labels" / sha256(b"data/street")[:16]
    open_journal(earlier, "data/street", 1).close()
    assert journal_folder(LabelledDataset("data/street")) != earlier
    assert f"--journal {earlier}" in caplog.text
    journal_of(earlier, LabelledDataset("data/street")).close()
    # What was typed in full can be of no other dataset.
    full = str(tmp_path / "two" / "data" / "street")
    earlier = root / "labels" / sha256(full.encode())[:16]
    open_journal(earlier, full, 1).close()
    assert journal_folder(LabelledDataset(full)) == earlier
