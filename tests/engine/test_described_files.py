"""Files with a description beside them: a network is given what it was trained with, whatever the dataset's default."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.artifact import Origin, Preprocessing
from edgerig.errors import IncompatibleError
from edgerig.models.files import open_artifact
from edgerig.results.types import RunResult
from edgerig.testing import networks

CLASSES = ("ape", "bee", "cat", "dog")
#: What the networks here take: numbers from -2 to 2, out of pixels.
OWN = Preprocessing(scale=1 / 63.75, mean=(2.0,))
MEASURE = {"warmup": 0, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0}


@pytest.fixture
def pixels(tmp_path: Path) -> Path:
    """200 samples of 8 pixels, labelled by the network of `networks.dense_weights` behind `OWN`."""
    weights, bias = networks.dense_weights(8, 4)
    x = np.random.default_rng(0).integers(0, 256, (200, 8)).astype(np.uint8)
    y = ((x / 63.75 - 2) @ weights.T + bias).argmax(axis=1)
    path = tmp_path / "pixels.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y, classes=np.array(CLASSES))
    return path


def described(path: Path, classes: tuple[str, ...] = CLASSES, preprocessing: Preprocessing = OWN) -> Path:
    """A float network with the description that training writes."""
    artifact = open_artifact(networks.dense_tflite(path))
    origins = (Origin(tool="train", options={}),)
    msgspec.structs.replace(artifact, preprocessing=preprocessing, classes=classes, origins=origins).save()
    return path


def bench(model: Any, data: Path, out: Path) -> RunResult:
    rig = {"model": model, "dataset": {"use": "npz", "file": str(data)}, "measure": MEASURE}
    return edgerig.run({**rig, "matrix": {"runtimes": ["litert"]}}, out=out)


@pytest.mark.slow
def test_a_network_is_given_the_preprocessing_that_it_was_trained_with(tmp_path: Path, pixels: Path) -> None:
    (cell,) = bench(str(described(tmp_path / "net.tflite")), pixels, tmp_path / "out").cells
    assert cell.artifact.preprocessing == OWN
    assert cell.quality.metrics[0].value == 1.0


def test_a_file_that_says_nothing_is_given_the_datasets(tmp_path: Path, pixels: Path) -> None:
    (cell,) = bench(str(networks.dense_tflite(tmp_path / "net.tflite")), pixels, tmp_path / "out").cells
    assert cell.artifact.preprocessing == Preprocessing(scale=1 / 255)
    assert cell.quality.metrics[0].value < 0.9


def test_random_numbers_are_not_preprocessed_and_agree_with_the_reference(tmp_path: Path) -> None:
    model = described(tmp_path / "net.tflite")
    plain = networks.dense_tflite(tmp_path / "plain.tflite")
    rig = {"model": {"file": str(plain), "reference": str(model)}, "matrix": {"runtimes": ["litert"]}}
    data = {"use": "random", "shape": [8], "samples": 40}
    (cell,) = edgerig.run({**rig, "dataset": data, "measure": MEASURE}, out=tmp_path / "out").cells
    assert cell.agreement.same_class == 1.0  # type: ignore[union-attr]
    assert cell.agreement.max_abs_error < 1e-6  # type: ignore[union-attr]


def test_classes_in_another_order_are_refused_by_name(tmp_path: Path, pixels: Path) -> None:
    model = described(tmp_path / "net.tflite", ("bee", "ape", "cat", "dog"))
    with pytest.raises(IncompatibleError, match=r"another order: its output 0 is 'bee'.* class 0 is 'ape'"):
        bench(str(model), pixels, tmp_path / "out")


def test_classes_of_other_names_are_told(tmp_path: Path, pixels: Path) -> None:
    result = bench(str(described(tmp_path / "net.tflite", ("a", "b", "c", "d"))), pixels, tmp_path / "out")
    assert any("classes a, b, c, d" in text and "ape, bee, cat, dog" in text for text in result.warnings)


def test_a_comparison_across_preprocessing_is_told(tmp_path: Path, pixels: Path) -> None:
    float_net = described(tmp_path / "net.tflite")
    plain = networks.dense_tflite_int8(tmp_path / "plain.tflite")
    result = bench({"file": str(plain), "reference": str(float_net)}, pixels, tmp_path / "out")
    assert any("other preprocessing" in text for text in result.warnings)


@pytest.mark.slow
def test_a_network_that_resizes_by_itself_takes_pictures_of_any_size(tmp_path: Path) -> None:
    from PIL import Image

    for place, name in enumerate(CLASSES):
        for number in range(10):
            path = tmp_path / "photos" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 30), (60 * place, 10 * number, 0)).save(path)
    path = tmp_path / "net.tflite"
    artifact = open_artifact(networks.dense_tflite(path, 48, 4))
    own = Preprocessing(scale=1 / 255, resize=(4, 4))
    origins = (Origin(tool="train", options={}),)
    msgspec.structs.replace(artifact, preprocessing=own, classes=CLASSES, origins=origins).save()
    data = {"use": "folder", "root": str(tmp_path / "photos"), "size": 20}
    # Its input is flat, so that it must be said how the pictures go in.
    rig = {"model": {"file": str(path), "layout": "nhwc"}, "dataset": data, "measure": MEASURE}
    (cell,) = edgerig.run({**rig, "matrix": {"runtimes": ["litert"]}}, out=tmp_path / "out").cells
    assert cell.artifact.preprocessing == own


@pytest.mark.parametrize(
    ("order", "told"), [(("bee", "ape", "cat", "dog"), True), (CLASSES, False), (("a", *"bcd"), False)]
)
def test_a_file_that_was_compiled_with_the_classes_in_another_order_is_told(
    tmp_path: Path, pixels: Path, order: tuple[str, ...], told: bool
) -> None:
    """The order of the dataset that it was calibrated with need not be the network's: it is no error."""
    artifact = open_artifact(networks.dense_tflite(tmp_path / "net.tflite"))
    origins = (Origin(tool="file", options={}), Origin(tool="int8", options={}))
    msgspec.structs.replace(artifact, classes=order, origins=origins).save()
    warnings = bench(str(tmp_path / "net.tflite"), pixels, tmp_path / "out").warnings
    assert any("whose class 0 is 'bee', and that of npz here is 'ape'" in text for text in warnings) == told
