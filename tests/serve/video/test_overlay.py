"""Masks, boxes and texts over frames; labels and their colours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from edgerig.artifact import Fit, Preprocessing
from edgerig.datasets.placement import placement_of
from edgerig.errors import UsageError
from edgerig.serve.video.answers import Answer, class_map_of_frame, map_indices
from edgerig.serve.video.labels import colour_table, read_labels
from edgerig.serve.video.overlay import OUTSIDE, Overlay, blend, jpeg_of
from edgerig.tasks.map_views import COLOURS

AT = placement_of(Preprocessing(resize=(60, 80)), 120, 160)


def frame() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (120, 160, 3), np.uint8)


def test_a_mask_is_half_frame_and_half_colour_and_its_background_the_frame_itself() -> None:
    table = np.zeros((256, 3), np.uint8)
    table[1], table[2] = (255, 0, 80), (1, 1, 1)
    class_map = np.random.default_rng(3).integers(0, 4, (120, 160)).astype(np.uint8)
    pixels = frame()
    before = pixels.copy()
    wide = pixels.astype(int)
    expected = np.where((class_map % 3)[..., None] > 0, wide - wide // 2 + table[class_map].astype(int) // 2, wide)
    np.testing.assert_array_equal(blend(pixels, class_map, table), expected)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize(
    ("fitted", "size"),
    [
        ("stretch", (60, 80)),
        ("stretch", (120, 160)),
        ("letterbox", (100, 100)),
        ("crop", (30, 30)),
        ("center", (90, 200)),
    ],
)
def test_a_mask_of_another_size_is_that_of_the_frame_before_it_is_drawn(fitted: Fit, size: tuple[int, int]) -> None:
    table = np.random.default_rng(4).integers(0, 256, (256, 3), np.uint8)
    table[0] = table[OUTSIDE] = 0
    class_map = np.random.default_rng(5).integers(0, 7, size).astype(np.uint8)
    at = placement_of(Preprocessing(resize=size, fit=fitted), 120, 160)
    indices = map_indices(at, 120, 160, size)
    whole = class_map_of_frame(class_map, *indices, OUTSIDE)
    np.testing.assert_array_equal(blend(frame(), class_map, table, indices), blend(frame(), whole, table))


def test_numbers_that_change_with_each_frame_are_drawn_once_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageDraw

    overlay, texts = Overlay(("road",), colour_table(1, "classification", {})), list[str]()
    draw = ImageDraw.ImageDraw.text

    def drawing(self: ImageDraw.ImageDraw, where: tuple[int, int], text: str, **more: object) -> None:
        texts.append(text)
        draw(self, where, text, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", drawing)
    for number in range(100):
        overlay(frame(), Answer(confidence=None), AT, [f"infer {number / 10:.1f} ms"])
    assert sorted(texts) == sorted([*"0123456789", "infer ", ".", " ms"])


def drawn(answer: Answer, task: str, lines: tuple[str, ...] = ()) -> np.ndarray:
    names = ("road", "car", "tree")
    overlay = Overlay(names, colour_table(3, task, {}))  # type: ignore[arg-type]
    return np.asarray(overlay(np.full((120, 160, 3), 100, np.uint8), answer, AT, lines))


def test_a_box_is_drawn_in_the_colour_of_its_class() -> None:
    answer = Answer(
        confidence=0.8,
        boxes=np.array([[40.0, 50.0, 60.0, 30.0]]),
        box_scores=np.float32([0.8]),
        box_labels=np.array([1]),
    )
    image = drawn(answer, "detection")
    colour = COLOURS[1]
    assert (image[79, 40:100] == colour).all()
    assert (image[50:80, 40] == colour).all()
    assert (image[50:80, 99] == colour).all()
    assert (image[55:75, 50:90] == 100).all()
    assert (image[100:, :] == 100).all()


def test_a_small_frame_is_enlarged_so_that_texts_do_not_cover_it() -> None:
    overlay = Overlay(("a", "b"), colour_table(2, "detection", {}))
    boxes = np.array([[7.0, 14.0, 10.0, 8.0]])
    answer = Answer(confidence=0.8, boxes=boxes, box_scores=np.float32([0.8]), box_labels=np.array([1]))
    image = np.asarray(overlay(np.full((28, 28, 3), 100, np.uint8), answer, AT, ("infer 1 ms",)))
    assert image.shape == (252, 252, 3)
    assert (image[9 * 14 : 9 * 22, 9 * 7] == COLOURS[1]).all()
    assert (image[9 * 17 : 9 * 20, 9 * 9 : 9 * 15] == 100).all()
    assert (image[40:80] == 100).all()


def test_texts_stand_on_a_dark_ground_in_their_corners() -> None:
    image = drawn(Answer(confidence=0.9, scores=np.float32([0.05, 0.9, 0.05])), "classification", ("infer 1 ms",))
    for corner in (image[:12, :30], image[-14:, :30]):
        assert (corner == 0).any()
        assert (corner > 200).any()
    assert (image[50:90, 100:] == 100).all()


def test_a_mask_at_the_networks_size_covers_the_whole_frame() -> None:
    answer = Answer(confidence=1.0, class_map=np.repeat(np.uint8([[0, 1]]), 60, axis=0).repeat(40, axis=1))
    image = drawn(answer, "segmentation")
    assert (image[60:, :80] == 100).all()
    assert (image[60:, 80:] == 50 + COLOURS[0] // 2).all()


def test_a_picture_is_encoded_as_jpeg() -> None:
    from PIL import Image

    image = drawn(Answer(confidence=None), "detection")
    with Image.open(io.BytesIO(jpeg_of(Image.fromarray(image)))) as back:
        assert (back.format, back.size) == ("JPEG", (160, 120))


def test_labels_are_names_a_line_or_a_class_dictionary(tmp_path: Path) -> None:
    text = tmp_path / "labels.txt"
    text.write_text("road\ncar\x1b[31m\n\ntree\n\n")
    assert read_labels(text).names == ("road", "car\\x1b[31m", "", "tree")
    dictionary = tmp_path / "classes.json"
    dictionary.write_text(
        '{"background": 0, "ignore": 255, "classes": 4, "objects": ['
        '{"id": 0, "name": "void", "trainId": 0, "category": "v", "display": false, "color": [0, 0, 0]},'
        '{"id": 1, "name": "person", "trainId": 1, "category": "p", "display": true, "color": [220, 20, 60]},'
        '{"id": 3, "name": "rider", "trainId": 1, "category": "p", "display": true, "color": [1, 2, 3]},'
        '{"id": 9, "name": "mirror", "trainId": 255, "category": "i", "display": true, "color": [9, 9, 9]}]}'
    )
    labels = read_labels(dictionary)
    assert labels.names == ("void", "person, rider", "class 2", "class 3")
    table = colour_table(4, "segmentation", labels.colours)
    assert table[:3].tolist() == [[0, 0, 0], [220, 20, 60], COLOURS[1].tolist()]


def test_files_that_are_no_labels_say_so(tmp_path: Path) -> None:
    for content, words in (
        (b"", "holds no labels"),
        (b"{}", "no class dictionary"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (b'{"objects": []}', "holds no labels"),
    ):
        path = tmp_path / "labels"
        path.write_bytes(content)
        with pytest.raises(UsageError, match=words):
            read_labels(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path / "none.txt")
