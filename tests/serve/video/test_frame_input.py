"""What a network sees of a frame is what it would see of the same picture in a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerig.artifact import Preprocessing
from edgerig.datasets.images import read_image
from edgerig.datasets.preprocess import apply, resize
from edgerig.errors import IncompatibleError
from edgerig.serve.video.frame_input import FrameInput, image_shape, likely_range, resized
from edgerig.tensors import Quantization, TensorSpec


def frame(height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def spec(*shape: int, layout: str | None = None) -> TensorSpec:
    return TensorSpec("image", shape, "float32", **({"layout": layout} if layout else {}))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(32, 32), (48, 64), (96, 40), (7, 100)])
def test_a_frame_is_resized_as_datasets_resize_their_images(
    tmp_path: Path, size: tuple[int, int], channels: int
) -> None:
    from PIL import Image

    path = tmp_path / "same.png"
    Image.fromarray(frame()).save(path)
    expected = resize(read_image(path, channels), size)
    # A two-thousandth of a grey level is the rounding of float32 sums.
    assert np.abs(resized(frame(), size, channels) - expected).max() < 5e-4


@pytest.mark.parametrize("fitting", ["stretch", "letterbox", "crop", "center"])
def test_the_input_is_that_of_a_sample_with_the_same_preprocessing(fitting: str) -> None:
    preprocessing = Preprocessing(
        scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), resize=(32, 40), fit=fitting, fill=114
    )
    wanted = apply([frame()], preprocessing)
    last = FrameInput([spec(1, 32, 40, 3)], preprocessing)(frame())
    first = FrameInput([spec(1, 3, 32, 40)], preprocessing)(frame())
    assert last.keys() == first.keys() == {"image"}
    np.testing.assert_allclose(last["image"], wanted, atol=2e-5)
    np.testing.assert_array_equal(first["image"], last["image"].transpose(0, 3, 1, 2))


def test_a_frame_of_another_size_is_placed_anew() -> None:
    network = FrameInput([spec(1, 32, 32, 3)], Preprocessing(scale=1 / 255), fitting="letterbox")
    for size in ((48, 64), (64, 48), (10, 10), (48, 64)):
        expected = apply([frame(*size)], Preprocessing(scale=1 / 255, resize=(32, 32), fit="letterbox"))
        np.testing.assert_allclose(network(frame(*size))["image"], expected, atol=2e-6)


def test_what_is_done_is_told_with_who_says_it() -> None:
    described = Preprocessing(scale=1 / 255, resize=(32, 32), fit="crop")
    told = FrameInput([spec(1, 32, 32, 1)], described).told
    assert "32x32 grey by crop (also from there)" in told
    assert "description says" in told
    assert described.hash in told
    guessed = FrameInput([spec(1, 784)], Preprocessing(), fitting="letterbox").told
    assert "28x28 grey by letterbox (--video-fit)" in guessed
    assert "has no description" in guessed


def quantized(scale: float, zero_point: int) -> TensorSpec:
    return TensorSpec("x", (1, 8, 8, 3), "int8", Quantization((scale,), (zero_point,)))


def test_the_range_of_an_integer_input_tells_how_pixels_go_in() -> None:
    assert likely_range(quantized(1 / 255, -128)) == Preprocessing(scale=1 / 255)
    assert likely_range(quantized(2 / 255, 0)) == Preprocessing(scale=1 / 255, mean=(0.5,), std=(0.5,))
    assert likely_range(quantized(1.0, -128)) == Preprocessing()
    assert likely_range(TensorSpec("x", (1, 8, 8, 3), "uint8")) == Preprocessing()
    assert likely_range(spec(1, 8, 8, 3)) == Preprocessing(scale=1 / 255)


def test_shapes_of_images() -> None:
    assert image_shape(spec(1, 28, 28)) == (28, 28, 1)
    assert image_shape(spec(1, 784)) == (28, 28, 1)
    assert image_shape(spec(1, 3072)) == (32, 32, 3)
    assert image_shape(spec(1, 3, 20, 30)) == (20, 30, 3)
    assert image_shape(spec(1, 20, 30, 3)) == (20, 30, 3)
    assert image_shape(spec(1, 3, 4, 3, layout="nchw")) == (4, 3, 3)


@pytest.mark.parametrize("shape", [(1, 10), (2, 8, 8, 3), (1, 8, 8, 5), (1, 4, 4, 4, 4), (1, -1, -1, 3), ()])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(IncompatibleError, match=r"no image|of a known size"):
        FrameInput([spec(*shape)], Preprocessing())


def test_several_inputs_and_another_size_are_refused() -> None:
    with pytest.raises(IncompatibleError, match="takes 2 inputs"):
        FrameInput([spec(1, 8, 8, 3)] * 2, Preprocessing())
    with pytest.raises(IncompatibleError, match="its input is 8x8"):
        FrameInput([spec(1, 8, 8, 3)], Preprocessing(resize=(9, 9)))


def test_a_flat_input_of_colours_needs_its_layout() -> None:
    with pytest.raises(IncompatibleError, match="both channels last and channels first would fit"):
        FrameInput([spec(1, 300)], Preprocessing())
    flat = FrameInput([spec(1, 300)], Preprocessing(), layout="nchw")(frame())["image"]
    image = FrameInput([spec(1, 10, 10, 3)], Preprocessing())(frame())["image"]
    np.testing.assert_array_equal(flat.reshape(3, 10, 10), image[0].transpose(2, 0, 1))
