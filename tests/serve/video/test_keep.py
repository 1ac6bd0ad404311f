"""Frames that are stored for labelling: rules, bounds, and what a full disk does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.serve.video.senders import picture

from edgerig import files
from edgerig.errors import UnknownNameError, UsageError
from edgerig.serve.video.answers import Answer
from edgerig.serve.video.keep.folder import INDEX, FrameFolder
from edgerig.serve.video.keep.keeper import Keeper
from edgerig.serve.video.keep.rules import parse_rules, parse_size
from edgerig.serve.video.shown import Shown, Times


def shown(number: int, seconds: float, confidence: float | None = 0.5, answer: Answer | None = None) -> Shown:
    answer = answer or Answer(confidence=confidence, scores=np.float32([0.5, 0.3, 0.2]))
    pixels = picture(number)
    pixels[0, 0] = number % 256
    return Shown(
        number=number,
        captured=seconds,
        seconds=None,
        pixels=pixels,
        image=None,
        jpeg=None,
        answer=answer,
        error="",
        times=Times(),
    )


def keeper(folder: Path, rules: str = "every:1ms", most: int = 10**8, form: str = "png") -> Keeper:
    names = {"model": "net", "artifact": "ab" * 32, "task": "classification", "names": ("cat", "dog", "cow")}
    return Keeper(FrameFolder(str(folder), most), parse_rules(rules), form=form, **names)  # type: ignore[arg-type]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in (folder / INDEX).read_bytes().splitlines()]


def pixels_of(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)


def test_a_frame_is_stored_without_loss_with_what_the_network_said(tmp_path: Path) -> None:
    store = keeper(tmp_path / "new" / "frames")
    store.offer(shown(7, 1.0), "street.mp4")
    store.stop()
    [line] = lines(tmp_path / "new" / "frames")
    path = tmp_path / "new" / "frames" / line["file"]
    np.testing.assert_array_equal(pixels_of(path), shown(7, 0).pixels)
    assert files.sha256_file(path) == line["sha256"]
    assert line["prediction"] == {
        "class": "cat",
        "index": 0,
        "scores": {"cat": 0.5, "dog": pytest.approx(0.3, abs=1e-6), "cow": pytest.approx(0.2, abs=1e-6)},
    }
    assert (line["frame"], line["confidence"], line["rules"]) == (7, 0.5, ["every:1ms"])
    assert (line["source"], line["model"], line["artifact"]) == ("street.mp4", "net", "ab" * 32)
    assert (line["width"], line["height"], line["task"]) == (160, 120, "classification")
    assert line["time"].endswith("+00:00")


def test_masks_and_boxes_are_stored_too(tmp_path: Path) -> None:
    store = keeper(tmp_path, form="jpeg")
    class_map = np.uint8([[0, 1], [1, 1]])
    store.offer(shown(1, 1.0, answer=Answer(confidence=0.9, class_map=class_map)), "x")
    boxes = Answer(
        confidence=0.7, boxes=np.array([[1.0, 2, 3, 4]]), box_scores=np.float32([0.75]), box_labels=np.array([2])
    )
    store.offer(shown(2, 2.0, answer=boxes), "x")
    store.stop()
    mask, box = lines(tmp_path)
    np.testing.assert_array_equal(pixels_of(tmp_path / mask["mask"]), class_map)
    assert mask["prediction"] == {"shares": {"cat": 0.25, "dog": 0.75}}
    assert box["prediction"] == {"boxes": [{"class": "cow", "index": 2, "score": 0.75, "box": [1.0, 2.0, 3.0, 4.0]}]}
    assert mask["file"].endswith(".jpg")
    assert np.abs(pixels_of(tmp_path / mask["file"]).astype(int) - shown(1, 0).pixels).max() <= 8


def test_each_rule_has_its_own_clock(tmp_path: Path) -> None:
    store = keeper(tmp_path, "uncertain:0.6,every:60s")
    for second, confidence in ((0, 0.9), (1, 0.9), (2, 0.5), (2.5, 0.5), (3, 0.6), (3.5, 0.59), (60, 0.9), (70, None)):
        store.offer(shown(int(second * 10), second, confidence, Answer(confidence=confidence)), "x")
    store.stop()
    stored = [(line["frame"], line["rules"]) for line in lines(tmp_path)]
    uncertain, every = ["uncertain:0.6"], ["every:60s"]
    assert stored == [(0, every), (20, uncertain), (35, uncertain), (600, every)]


def test_the_folder_stays_within_its_bound_and_goes_on_where_it_was(tmp_path: Path) -> None:
    first = keeper(tmp_path)
    first.offer(shown(0, 0.0), "x")
    first.stop()
    once = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert first.folder.size == once
    store = keeper(tmp_path, most=int(3.5 * once))
    assert (store.folder.size, store.folder.count) == (once, 1)
    for number in range(1, 8):
        store.offer(shown(number, float(number)), "x")
    store.stop()
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert total == store.folder.size <= int(3.5 * once)
    assert store.state.stored == len(lines(tmp_path)) - 1 >= 1
    assert "is full: --keep-max allows" in store.state.message


def test_a_full_disk_is_told_nothing_half_is_left_and_storing_goes_on_when_there_is_room(tmp_path: Path) -> None:
    store = keeper(tmp_path)
    # The kernel's own full disk: every write to it fails as one does.
    (tmp_path / INDEX).symlink_to("/dev/full")
    store.offer(shown(0, 0.0), "x")
    while not store.state.message:
        os.sched_yield()
    assert "No space left on device" in store.state.message
    assert [path.name for path in tmp_path.iterdir()] == [INDEX]
    (tmp_path / INDEX).unlink()
    store.offer(shown(1, 1.0), "x")
    store.stop()
    assert [line["frame"] for line in lines(tmp_path)] == [1]
    assert store.state.message == ""


def test_half_a_line_of_a_power_failure_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes(b'{"file": "a"}\n{"fi')
    folder = FrameFolder(str(tmp_path), 1000)
    assert (tmp_path / INDEX).read_bytes() == b'{"file": "a"}\n'
    assert folder.count == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("uncertain:2", "no confidence above 0"),
        ("uncertain:nan", "no confidence above 0"),
        ("uncertain:", "'nothing' is no confidence"),
        ("uncertain", "it has no value"),
        ("every:60", "'60' is no time"),
        ("every:0s", "'0s' is no time"),
        ("every:1s,every:2s", "every is there twice"),
    ],
)
def test_rules_that_mean_nothing_are_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_rules(text)


def test_unknown_rules_and_addresses_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="uncertian") as caught:
        parse_rules("uncertian:0.5")
    assert "'uncertain'" in str(caught.value)
    with pytest.raises(UsageError, match="not yet at s3://"):
        FrameFolder("s3://bucket/frames", 100)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        FrameFolder(str(tmp_path / "file"), 100)
    for text in ("", "GB", "0", "1XB", "-1GB"):
        with pytest.raises(UsageError, match="no size"):
            parse_size(text)
