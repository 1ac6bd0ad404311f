"""Drawn digits out of files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgerig.datasets.digit_file import read_digit
from edgerig.errors import DatasetError
from edgerig.serve.drawing_files import WRITERS


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A picture as MNIST has them: ink light on black, grey values of all kinds, an edge of paper."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 4:24] = np.random.default_rng(2).integers(0, 256, (20, 20))
    return pixels


@pytest.mark.parametrize("suffix", sorted(WRITERS))
def test_what_the_drawing_page_exports_is_read_as_drawn(tmp_path: Path, picture: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"digit{suffix}"
    path.write_bytes(WRITERS[suffix](picture))
    digit = read_digit(path)
    assert (digit.shape, digit.dtype) == ((28, 28), np.float32)
    np.testing.assert_allclose(digit, picture / 255, atol=1e-6)


def test_dark_ink_on_light_paper_is_turned_round_and_large_images_are_averaged(
    tmp_path: Path, picture: np.ndarray
) -> None:
    path = tmp_path / "paper.png"
    Image.fromarray(255 - picture).resize((280, 280), Image.Resampling.NEAREST).save(path)
    np.testing.assert_allclose(read_digit(path), picture / 255, atol=1e-6)
    np.testing.assert_array_equal(read_digit(path, "dark"), read_digit(path))
    np.testing.assert_allclose(read_digit(path, "light"), 1 - picture / 255, atol=1e-6)


def test_numbers_of_an_array_are_read(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "digit.npy"
    np.save(path, (picture / 255).reshape(784))
    np.testing.assert_allclose(read_digit(path), picture / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.txt", b"0 0.5 1", "3 numbers, not 784"),
        ("a.txt", b"0 " * 783 + b"2", "not from 0 to 1"),
        ("a.txt", b"0 " * 783 + b"nan", "not from 0 to 1"),
        ("a.txt", b"0 " * 783 + b"x", "cannot be read"),
        ("a.txt", b"\xff\xfe", "cannot be read"),
        ("a.h", b"nothing", "0 numbers"),
        ("a.npy", b"\x93NUMPY", "cannot be read"),
        ("a.txt", b"0" * (1 << 21), "larger than any file"),
        ("a.png", b"\x89PNG\r\n", "a.png"),
    ],
)
def test_a_file_that_is_no_digit_is_refused_by_name(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=text):
        read_digit(path)


@pytest.mark.parametrize("name", ["no.png", "no.txt"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DatasetError, match=name):
        read_digit(tmp_path / name)
