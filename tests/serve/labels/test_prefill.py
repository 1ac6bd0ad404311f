"""Networks propose labels; people accept, change and remove them, and it is told how many were right."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serve.labels.conftest import Page, image, labelling, labels_in, make, newest, stroke
from tests.serve.video.clients import request

from edgerig.datasets.labels.masks import shape_mask
from edgerig.errors import UsageError
from edgerig.serve.labels.raster import mask_of
from edgerig.testing import networks
from edgerig.testing.networks.detector_networks import ssd_tflite

WHITE = np.zeros((60, 80), bool)
WHITE[10:30, 20:50] = True


def picture(pixels: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def bright(row: int = 0) -> bytes:
    """A white rectangle on grey; each row another picture."""
    pixels = np.full((60, 80, 3), 90, np.uint8)
    pixels[WHITE] = 255
    pixels[50, row] = 91
    return picture(pixels)


def prefilled(page: Page, names: list[str]) -> dict[str, Any]:
    """The states of pictures, once these are prefilled."""
    states = {each["name"]: each for each in page.welcome["pictures"]}
    while any(states[name]["state"] != "prefilled" for name in names):
        summary = page.hear("summary")["picture"]
        states[summary["name"]] = summary
    return states


def test_proposed_masks_are_written_once_somebody_accepts_them(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    net = networks.bright_pixels_tflite(tmp_path / "bright.tflite", 60, 80)
    names = [f"{number}.png" for number in range(5)]
    make(tmp_path / "street", {name: bright(row) for row, name in enumerate(names)}, ("lamp",))
    with labelling(tmp_path, prefill=net) as server:
        ann = Page(server.address.port)
        assert ann.welcome["prefill"] == "bright"
        states = prefilled(ann, names)
        assert [states[name]["proposed"] for name in names] == [1] * 5
        for name in names:
            (record,) = ann.open(name)["records"]
            (shape,) = record["operation"]["shapes"]
            assert (record["who"], shape["label"]) == ("", "lamp")
            np.testing.assert_array_equal(mask_of(shape["runs"], 80, 60), WHITE)
        accept = {"kind": "accept", "shapes": [shape["id"]]}
        ann.do("0.png", accept)
        ann.do("1.png", stroke(60, 40, mask=shape["id"], label="lamp", radius=3))
        ann.do("1.png", accept)
        ann.do("2.png", {"kind": "delete", "shape": shape["id"]})
        ann.do("3.png", stroke(5, 5, mask="mine", label="lamp"))
        status = json.loads(request(server.address.port, "/labels/status")[2])
        assert status["prefill"]["accepted_unchanged"] == pytest.approx(1 / 3)
        ann.say({"type": "commit"})
        told = ann.hear("committed")["prefill"]
        assert told == "1 of 3 accepted unchanged (33 %), 1 changed, 1 removed, 1 open"
    entries = newest(tmp_path / "street").by_name()
    assert (
        entries["0.png"].extra["prefill"] == "bright: 1 of 1 accepted unchanged (100 %), 0 changed, 0 removed, 0 open"
    )
    (lamp,) = labels_in(tmp_path / "street", "0.png").shapes
    np.testing.assert_array_equal(shape_mask(lamp, 60, 80), WHITE)
    assert lamp.attributes == {"labelled_by": "Ann", "proposed_by": "bright"}
    (changed,) = labels_in(tmp_path / "street", "1.png").shapes
    assert shape_mask(changed, 60, 80)[40, 60]
    assert entries["2.png"].annotation is None
    (mine,) = labels_in(tmp_path / "street", "3.png").shapes
    assert not (shape_mask(mine, 60, 80) & WHITE).any(), "what nobody accepted is not written"
    assert (entries["4.png"].annotation, entries["4.png"].extra) == (None, {})
    # After a restart it is proposed again what nobody decided on.
    with labelling(tmp_path, prefill=net) as server:
        again = Page(server.address.port)
        states = prefilled(again, ["2.png", "4.png"])
        assert [states[name]["state"] for name in names] == ["begun", "begun", "prefilled", "begun", "prefilled"]
        again.do("4.png", {"kind": "mark", "state": "done"})
    assert newest(tmp_path / "street").by_name()["4.png"].extra["state"] == "done"


def test_a_class_is_proposed_and_labelled_pictures_are_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    net = networks.channel_means_tflite(tmp_path / "means.tflite", (1, 3, 32, 32))
    make(tmp_path / "street", {"red.png": image(), "again.png": image(64, 64)})
    with labelling(tmp_path) as server:
        Page(server.address.port).do("again.png", {"kind": "classify", "label": "tree"})
    with labelling(tmp_path, prefill=net) as server:
        ann = Page(server.address.port)
        states = prefilled(ann, ["red.png"])
        # Red is the first of the network's classes, and car the first of the dataset's.
        assert (states["red.png"]["label"], states["again.png"]["state"]) == ("car", "begun")
        ann.do("red.png", {"kind": "accept", "shapes": [], "label": True})
    assert {name: entry.label for name, entry in newest(tmp_path / "street").by_name().items()} == {
        "again.png": "tree",
        "red.png": "car",
    }


def test_another_network_replaces_what_nobody_decided_on(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    make(tmp_path / "street", {"a.png": bright(), "b.png": bright(1)}, ("lamp", "blue", "green"))
    (tmp_path / "names.txt").write_text("background\nlamp\n")
    first = networks.bright_pixels_tflite(tmp_path / "bright.tflite", 60, 80)
    with labelling(tmp_path, prefill=first, prefill_labels=tmp_path / "names.txt", commit=False) as server:
        ann = Page(server.address.port)
        prefilled(ann, ["a.png", "b.png"])
        ann.do("b.png", {"kind": "mark", "state": "doubtful"})
    second = networks.channel_means_tflite(tmp_path / "means.tflite", (1, 3, 32, 32))
    with labelling(tmp_path, prefill=second, commit=False) as server:
        ann = Page(server.address.port)
        while (picture := {each["name"]: each for each in ann.welcome["pictures"]}["a.png"])["label"] != "lamp":
            ann = Page(server.address.port)
        assert (picture["state"], picture["proposed"]) == ("prefilled", 1)
        assert [record["operation"]["model"] for record in ann.open("a.png")["records"]] == ["bright", "means"]
        assert len(ann.open("b.png")["records"]) == 2


def test_proposed_boxes_are_in_pixels_of_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    (tmp_path / "ssd.tflite").write_bytes(ssd_tflite())
    (tmp_path / "names.txt").write_text("car\nroad\nboat\n")
    # A row for each anchor, see `ssd_tflite`: the third is a road, the sixth a boat, which the dataset lacks.
    pixels = np.zeros((6, 8), np.uint8)
    pixels[2, 6] = pixels[5, 7] = 255
    make(tmp_path / "street", {"a.png": picture(pixels)})
    with labelling(tmp_path, prefill=tmp_path / "ssd.tflite", prefill_labels=tmp_path / "names.txt") as server:
        ann = Page(server.address.port)
        prefilled(ann, ["a.png"])
        (record,) = ann.open("a.png")["records"]
        (shape,) = record["operation"]["shapes"]
        assert (shape["label"], record["operation"]["scores"]) == ("road", [1.0])
        # The anchor's centre is at 5/6 and 1/4 of the sides, its own are 3/10 of them.
        assert shape["box"] == pytest.approx([8 * (5 / 6 - 0.15), 6 * (0.25 - 0.15), 2.4, 1.8], abs=0.01)


def test_a_network_of_other_classes_is_refused_and_one_that_is_none_too(tmp_path: Path) -> None:
    pytest.importorskip("obstore")
    make(tmp_path / "street", {"a.png": image()})
    net = networks.bright_pixels_tflite(tmp_path / "bright.tflite", 60, 80)
    with pytest.raises(UsageError, match="None of the network's classes") as error, labelling(tmp_path, prefill=net):
        pass
    other = networks.dense_tflite(tmp_path / "dense.tflite")
    with pytest.raises(UsageError, match="cannot propose labels") as unfit, labelling(tmp_path, prefill=other):
        pass
    assert "takes one picture" in (unfit.value.hint or "")
    assert "--prefill-labels" in (error.value.hint or "")
    # The journal is free again.
    with labelling(tmp_path) as server:
        assert Page(server.address.port).welcome["prefill"] == ""
