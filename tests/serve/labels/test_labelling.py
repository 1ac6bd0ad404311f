"""The server of the page to label on: several pages at once, the journal, and versions of the dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.labels.conftest import HEIGHT, WIDTH, Page, box, labelling, labels_in, newest, stroke
from tests.serve.video.clients import request

from edgerig.datasets.labels.masks import shape_mask
from edgerig.errors import UsageError
from edgerig.serve.labels.raster import Canvas
from edgerig.serve.labels.raster import stroke as pixels_of_stroke


def mask_of(points: tuple[int, ...], radius: int = 4) -> np.ndarray:
    canvas = Canvas(WIDTH, HEIGHT)
    for patch in pixels_of_stroke(points, radius, WIDTH, HEIGHT):
        canvas.add("m", patch)
    return canvas.mask("m")


def test_what_is_done_becomes_a_version_with_who_did_it(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        assert ann.welcome["dataset"].endswith("/street")
        assert [each["name"] for each in ann.welcome["classes"]] == ["car", "road", "tree"]
        assert {each["state"] for each in ann.welcome["pictures"]} == {"unlabelled"}
        shown = ann.open("0.png")
        assert (shown["width"], shown["height"], shown["records"]) == (WIDTH, HEIGHT, [])
        assert ann.do("0.png", stroke(20, 30, 90, 60))["type"] == "taken"
        assert ann.do("0.png", box("b1", 5, 6, 70, 80, label="road"))["type"] == "taken"
        ann.do("0.png", {"kind": "classify", "label": "tree"})
        ann.do("0.png", {"kind": "mark", "state": "done"})
        ann.say({"type": "commit"})
        committed = ann.hear("committed")
        assert (committed["version"], committed["pictures"]) == (2, 1)
    version = newest(street / "street")
    assert version.version == 2, "stopping writes no version where nothing changed"
    assert version.note == "1 picture labelled by Ann"
    entry = version.by_name()["0.png"]
    assert (entry.label, entry.extra["state"], entry.extra["labelled_by"]) == ("tree", "done", "Ann")
    mask, road = labels_in(street / "street", "0.png").shapes
    np.testing.assert_array_equal(shape_mask(mask, HEIGHT, WIDTH), mask_of((20, 30, 90, 60)))
    assert (mask.category, mask.attributes) == ("car", {"labelled_by": "Ann"})
    assert (road.category, road.box) == ("road", (5, 6, 70, 80))
    assert version.by_name()["1.png"].annotation is None


def test_what_is_taken_back_after_a_commit_is_gone_in_the_next(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        ann.do("0.png", {"kind": "classify", "label": "tree"}, "class")
        ann.do("0.png", stroke(9, 9), "stroke")
        assert server.commit()["version"] == 2
        assert newest(street / "street").by_name()["0.png"].label == "tree"
        ann.do("0.png", {"kind": "undo", "target": "class"})
        ann.do("0.png", {"kind": "undo", "target": "stroke"})
    entry = newest(street / "street").by_name()["0.png"]
    assert (newest(street / "street").version, entry.label, entry.annotation) == (3, None, None)
    assert entry.extra["state"] == "unlabelled"


def test_two_people_on_one_picture_lose_nothing_and_see_each_other(street: Path) -> None:
    with labelling(street) as server:
        ann, bob = Page(server.address.port, "Ann"), Page(server.address.port, "Bob")
        ann.open("0.png"), bob.open("0.png")
        for number in range(10):
            ann.say(
                {"type": "do", "picture": "0.png", "id": f"a{number}", "upon": 0, "operation": stroke(10 * number, 20)}
            )
            bob.say(
                {"type": "do", "picture": "0.png", "id": f"b{number}", "upon": 0, "operation": stroke(10 * number, 99)}
            )
        records = {}
        for page in (ann, bob):
            heard = []
            while len(heard) < 20:
                heard.append(page.hear("operation")["record"])
            records[page] = [(each["revision"], each["id"], each["who"]) for each in heard]
        assert records[ann] == records[bob]
        assert [revision for revision, _, _ in records[ann]] == list(range(1, 21))
        assert {who for _, _, who in records[ann]} == {"Ann", "Bob"}
        people = json.loads(request(server.address.port, "/labels/status")[2])["people"]
        assert people == ["Ann", "Bob"]
        bob.close()
        while ann.hear("summary")["picture"]["people"] != ["Ann"]:
            pass
    (mask,) = labels_in(street / "street", "0.png").shapes
    expected = sum(
        (mask_of((10 * number, y)) for number in range(10) for y in (20, 99)), np.zeros((HEIGHT, WIDTH), bool)
    )
    np.testing.assert_array_equal(shape_mask(mask, HEIGHT, WIDTH), expected)
    assert newest(street / "street").by_name()["0.png"].extra["labelled_by"] == "Ann, Bob"


def test_an_operation_counts_once_however_often_it_is_sent(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        ann.open("0.png")
        message = {"type": "do", "picture": "0.png", "id": "same", "upon": 0, "operation": stroke(5, 5)}
        for _ in range(3):
            ann.say(message)
        for _ in range(3):
            assert ann.hear("taken")["id"] == "same"
        assert [each["id"] for each in ann.open("0.png")["records"]] == ["same"]
    # It is known in the journal after the one that it was in, too.
    with labelling(street) as server:
        again = Page(server.address.port)
        assert again.open("0.png")["records"] == []
        again.say(message)
        assert again.hear("taken") == {"type": "taken", "id": "same", "picture": "0.png", "known": True}
    assert newest(street / "street").version == 2


def test_a_removal_of_what_another_changed_meanwhile_removes_nothing(street: Path) -> None:
    with labelling(street) as server:
        ann, bob = Page(server.address.port, "Ann"), Page(server.address.port, "Bob")
        ann.open("0.png")
        ann.do("0.png", box("b1", 0, 0, 10, 10))
        bob.do("0.png", box("b1", 0, 0, 20, 20), upon=1)
        ann.do("0.png", {"kind": "delete", "shape": "b1"}, upon=1)
        assert server.commit()["pictures"] == 1
        assert labels_in(street / "street", "0.png").shapes[0].box == (0, 0, 20, 20)
        ann.do("0.png", {"kind": "delete", "shape": "b1"}, upon=3)
    assert newest(street / "street").by_name()["0.png"].annotation is None


def polygon(*ring: float) -> dict[str, Any]:
    return {"kind": "put", "shape": {"type": "polygon", "id": "p", "label": "car", "parts": [[ring]]}}


BAD: dict[str, dict[str, Any] | str] = {
    "no JSON": "{",
    "no object": "[1]",
    "an unknown type": {"type": "shutdown"},
    "an unknown operation": {"kind": "explode"},
    "a field too many": {**stroke(1, 1), "more": 1},
    "a network's operation": {"kind": "propose", "model": "fake"},
    "a class that is none": stroke(1, 1, label="boat"),
    "half a point": stroke(1, 1, 1),
    "no point": stroke(),
    "a real number": {**stroke(1, 1), "points": [1.5, 2]},
    "a stroke far outside": stroke(1, 99_999),
    "a huge pen": stroke(1, 1, radius=9999),
    "no mask": stroke(1, 1, mask=""),
    "a box outside": box("b", 300, 200, 30, 10),
    "a box of no width": box("b", 3, 2, 0, 10),
    "a box with infinity": '{"kind":"put","shape":{"type":"box","id":"b","label":"car","box":[1e999,0,1,1]}}',
    "a polygon of two points": polygon(1, 1, 2, 2),
    "a polygon outside": polygon(1, 1, 2, 2, -9, 3),
    "an endless id": {"kind": "delete", "shape": "x" * 999},
}


def test_what_does_not_fit_is_refused_and_nothing_else_is(street: Path) -> None:
    with labelling(street) as server:
        ann = Page(server.address.port)
        ann.open("0.png")
        for name, bad in BAD.items():
            of_picture = isinstance(bad, dict) and "kind" in bad
            ann.say({"type": "do", "picture": "0.png", "id": name, "upon": 0, "operation": bad} if of_picture else bad)
            refused = ann.hear("refused")
            assert refused["message"], name
            assert "Traceback" not in refused["message"]
        assert ann.do("none.png", stroke(1, 1))["message"] == "The dataset has no picture 'none.png'."
        assert ann.open("none.png")["type"] == "problem"
        assert ann.do("0.png", stroke(1, 1))["type"] == "taken"
        assert len(ann.open("0.png")["records"]) == 1


def test_a_message_of_ten_megabytes_ends_that_page_alone(street: Path) -> None:
    with labelling(street) as server:
        ann, bob = Page(server.address.port, "Ann"), Page(server.address.port, "Bob")
        ann.say("x" * 10_000_000)
        while not isinstance(code := ann.socket.receive(), int):
            pass
        assert code == 1009
        with Page(server.address.port, "Eve").socket as binary:
            binary.send(b"\0")
            while not isinstance(code := binary.receive(), int):
                pass
            assert code == 1003
        assert bob.do("0.png", stroke(1, 1))["type"] == "taken"


def test_pages_of_other_sites_and_strangers_are_refused(street: Path) -> None:
    with labelling(street, token=b"a secret of some length") as server:
        port = server.address.port
        assert Page(port).socket.status == 403
        assert request(port, "/")[0] == 401
        assert request(port, "/labels/picture/0")[0] == 401
        admitted = {"authorization": "Bearer a secret of some length"}
        status, headers, body = request(port, "/", **admitted)
        assert status == 200
        assert "default-src 'none'" in headers["content-security-policy"]
        assert b"edgerig" in body
        assert request(port, "/", **admitted, origin="http://evil.example")[0] == 403
    with labelling(street) as server:
        port = server.address.port
        assert Page(port, origin="http://evil.example").socket.status == 403
        assert Page(port, host="evil.example").socket.status == 403
        assert Page(port, origin=f"http://127.0.0.1:{port}").socket.status == 101
        assert request(port, "/labels/files/..%2f__init__.py")[0] == 404
    with pytest.raises(UsageError, match="reached from other machines"), labelling(street, listen="0.0.0.0:0"):
        pass
