from pathlib import Path

import pytest

from edgerig.artifact import Artifact, TensorSpec
from edgerig.datasets.base import Dataset
from edgerig.datasets.fitting import check_size
from edgerig.errors import IncompatibleError
from edgerig.plugins import make


def network(*shape: int) -> Artifact:
    spec = TensorSpec(name="input", shape=shape, dtype="float32")
    return Artifact(name="net", format="tflite", sha256="0" * 64, size=1, inputs=(spec,), outputs=(spec,), path="net")


@pytest.mark.parametrize(
    "shape", [(1, 32, 32, 3), (1, 3, 32, 32), (1, 3072), (-1, 32, 32, 3), (1, -1, -1, 3), (1,), ()]
)
def test_what_may_fit_is_left_to_the_samples(shape: tuple[int, ...]) -> None:
    check_size(make("dataset", "cifar10", Dataset), network(*shape))


@pytest.mark.parametrize("shape", [(1, 28, 28, 1), (1, 32, 32, 1), (1, 10)])
def test_what_cannot_fit_is_refused_before_anything_is_fetched(
    shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERIG_CACHE", str(tmp_path / "cache"))
    with pytest.raises(IncompatibleError, match=r"'cifar10' gives samples of shape \[32, 32, 3\]"):
        check_size(make("dataset", "cifar10", Dataset), network(*shape))
    assert not (tmp_path / "cache").exists()


def test_a_network_without_inputs_is_no_matter_of_size() -> None:
    check_size(
        make("dataset", "mnist", Dataset),
        Artifact(name="net", format="tflite", sha256="0" * 64, size=1, inputs=(), outputs=(), path="net"),
    )
