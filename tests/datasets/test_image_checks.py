"""Whether image files are whole, and which pixels are read of unusual ones."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.image_checks import examine_image, usable
from edgerig.datasets.images import dark_pictures, read_image
from edgerig.datasets.labels.problems import Problems
from edgerig.errors import DatasetError, MissingExtraError
from edgerig.progress import Progress
from edgerig.store.transfer import LocalFile

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 48, 3), np.uint8)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def half_zeros(data: bytes) -> bytes:
    """As a power cut leaves a file whose length was written and whose content was not."""
    return half(data) + bytes(len(data) - len(data) // 2)


def changed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        # The other formats have no sum, and zeros are pixels like others.
        *((suffix, half_zeros) for suffix in (".jpg", ".png", ".gif")),
        *(
            (suffix, damage)
            for suffix in (".jpg", ".png", ".gif", ".webp", ".bmp", ".tif")
            for damage in (half, lambda data: data[:30], lambda data: b"")
        ),
    ],
)
def test_a_damaged_picture_is_found(tmp_path: Path, suffix: str, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"x{suffix}"
    Image.fromarray(PIXELS).save(path)
    assert examine_image(path).error is None
    path.write_bytes(damage(path.read_bytes()))
    error = examine_image(path).error
    assert error is not None
    assert str(path) in error.message


def test_a_changed_byte_of_a_png_is_found(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(changed((tmp_path / "x.png").read_bytes()))
    assert examine_image(tmp_path / "x.png").error is not None


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"comment": b"\xff\xd9"}])
def test_whole_jpegs_of_all_kinds_pass_with_what_cameras_put_behind_them(
    tmp_path: Path, options: dict[str, object]
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "x.jpg", **options)
    (tmp_path / "x.jpg").write_bytes((tmp_path / "x.jpg").read_bytes() + b"trailer\xff\xda" + bytes(99))
    assert examine_image(tmp_path / "x.jpg").error is None
    (tmp_path / "x.jpg").write_bytes(half_zeros((tmp_path / "x.jpg").read_bytes()[: -9 - 99]))
    assert examine_image(tmp_path / "x.jpg").error is not None


def test_bad_files_are_named_in_order_and_others_are_taken_for_what_they_are(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(20)]
    for number, name in enumerate(names):
        Image.fromarray(PIXELS).save(tmp_path / name)
        if number % 7 == 0:
            (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    local = [LocalFile(path=tmp_path / name, name=name) for name in [*names, "notes.txt"]]
    problems = Problems(skip=True, noun="picture")
    good = usable(local, problems, Progress())
    assert [file.name for file in good] == [each for each in [*names, "notes.txt"] if each not in BAD]
    (note,) = problems.notes()
    assert note.startswith("Left out as unusable: 3 pictures. ")
    assert note.index("/0.png") < note.index("/14.png") < note.index("/7.png")
    strict = Problems(noun="picture")
    usable(local, strict, Progress())
    with pytest.raises(DatasetError, match="3 pictures cannot be used") as caught:
        strict.notes()
    assert "--skip-bad" in str(caught.value.hint)


BAD = ("0.png", "7.png", "14.png")


def test_of_an_animation_the_first_picture_is_used_and_that_is_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 3), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    problems = Problems()
    assert usable([LocalFile(path=tmp_path / "x.gif", name="x.gif")], problems, Progress())
    assert problems.notes() == ("Of several pictures in one file the first is used: 1 file.",)
    assert read_image(tmp_path / "x.gif", 3)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("pixels", "values"), [(np.zeros((3, 4), np.float32), "real numbers"), (np.ones((3, 4), np.int32), "32-bit")]
)
def test_pixels_of_no_known_range_are_refused(tmp_path: Path, pixels: np.ndarray, values: str) -> None:  # type: ignore[type-arg]
    Image.fromarray(pixels).save(tmp_path / "x.tif")
    with pytest.raises(DatasetError, match=values):
        read_image(tmp_path / "x.tif", 3)
    assert examine_image(tmp_path / "x.tif").error is not None


def tiff(bits: int, data: bytes, **tags: int) -> bytes:
    """A TIFF file of 4 x 1 grey values, not compressed (TIFF 6.0); 0 is black unless ``photometric`` is 0."""
    entries = {
        256: 4,
        257: 1,
        258: bits,
        259: 1,
        262: tags.get("photometric", 1),
        273: 8,
        277: 1,
        278: 1,
        279: len(data),
    }
    entries |= {number: tags[name] for name, number in (("largest", 281), ("format", 339)) if name in tags}
    body = data + b"\0" * (len(data) % 2)
    table = b"".join(struct.pack("<HHII", number, 3, 1, value) for number, value in sorted(entries.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(entries)) + table + bytes(4)


@pytest.mark.parametrize(
    ("data", "bits", "tags"),
    [
        (np.array([0, 0x4000, 0x8000, 0xFFFF], "<u2").tobytes(), 16, {}),
        (np.array([0xFFFF, 0xBFFF, 0x7FFF, 0], "<u2").tobytes(), 16, {"photometric": 0}),
        (np.array([0, 0x400, 0x800, 0xFFF], "<u2").tobytes(), 16, {"largest": 4095}),
        (bytes([0x00, 0x04, 0x00, 0x80, 0x0F, 0xFF]), 12, {}),
    ],
    ids=["16", "0-is-white", "12-in-16", "12"],
)
def test_a_tiff_s_values_are_as_bright_as_its_tags_say(tmp_path: Path, data: bytes, bits: int, tags: dict) -> None:  # type: ignore[type-arg]
    (tmp_path / "x.tif").write_bytes(tiff(bits, data, **tags))
    assert read_image(tmp_path / "x.tif", 1).ravel().tolist() == [0, 64, 128, 255]


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.int8), (16, "<i2")])
def test_values_with_a_sign_are_refused(tmp_path: Path, bits: int, dtype: Any) -> None:
    (tmp_path / "x.tif").write_bytes(tiff(bits, np.array([-100, -1, 0, 100], dtype).tobytes(), format=2))
    with pytest.raises(DatasetError, match="not known"):
        read_image(tmp_path / "x.tif", 3)


def test_pictures_of_12_bits_in_16_are_told_as_dark(tmp_path: Path) -> None:
    names = {"dark": 4095, "darker": 1023, "bright": 0xFFFF}
    for name, most in names.items():
        (tmp_path / f"{name}.tif").write_bytes(tiff(16, np.array([0, 1, 2, most], "<u2").tobytes()))
    (tmp_path / "dark.png").write_bytes(png_16(np.full((2, 2, 3), 4095, ">u2")))
    Image.fromarray(np.full((2, 2), 9, np.uint8)).save(tmp_path / "night.png")
    dark = [tmp_path / name for name in ("dark.tif", "darker.tif", "dark.png")]
    assert "no pixel is brighter than 15 of 255: their values have 12 bits" in (dark_pictures(dark) or "")
    for other in ("bright.tif", "night.png", "none.png"):
        assert dark_pictures([*dark, tmp_path / other]) is None
    assert dark_pictures([]) is None


@pytest.mark.parametrize("channels", [1, 3])
def test_of_16_bits_the_upper_8_are_kept(tmp_path: Path, channels: int) -> None:
    values = np.array([[0, 255, 256], [0x80FF, 0xFF00, 0xFFFF]], ">u2")
    rows = np.repeat(values[:, :, None], channels, 2)
    (tmp_path / "x.png").write_bytes(png_16(rows))
    (tmp_path / "y.pgm").write_bytes(b"P5 3 2 65535 " + values.tobytes())
    expected = [[0, 0, 1], [0x80, 0xFF, 0xFF]]
    assert read_image(tmp_path / "x.png", 1)[..., 0].tolist() == expected
    assert read_image(tmp_path / "x.png", 3)[..., 2].tolist() == expected
    assert read_image(tmp_path / "y.pgm", 1)[..., 0].tolist() == expected


def png_16(rows: np.ndarray) -> bytes:  # type: ignore[type-arg]
    """A PNG of 16 bits a value, grey or RGB (PNG specification, third edition)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = rows.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 0 if channels == 1 else 2, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_transparency_shows_the_colour_beneath(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "p.png", transparency=1)
    Image.fromarray(np.array([[[10, 20, 30, 255], [200, 100, 50, 0]]], np.uint8)).save(tmp_path / "a.png")
    for name in ("p.png", "a.png"):
        assert read_image(tmp_path / name, 3).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_cmyk_is_told_from_its_inverse(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "x.jpg", quality=100)
    red, green, blue = read_image(tmp_path / "x.jpg", 3)[4, 4].tolist()
    assert red > 250
    assert max(green, blue) < 5


def test_pictures_without_pillow_are_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"Reading pictures needs PIL[\s\S]*\[images\]"):
        examine_image(tmp_path / "a.png")
