"""ncnn's text and edgerig's ends beside it: what is read, and that damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerig.errors import ModelError
from edgerig.formats import named
from edgerig.models.files import open_artifact
from edgerig.models.graph.ncnn_file import read_layers, read_ncnn
from edgerig.testing.networks.ncnn_files import dense_ncnn, two_in_three_out_ncnn

CONVOLUTION = b"7767517\n2 2\nInput in0 0 1 in0\nConvolution conv 1 1 in0 out0 0=8 1=3 -23310=1,6.0 8=%d\n"


def test_layers_are_read_with_their_blobs_and_parameters(tmp_path: Path) -> None:
    several = read_ncnn(two_in_three_out_ncnn(tmp_path / "several.param"))
    assert several.operators() == {"InnerProduct": 3}
    split = several.layers[1]
    assert (split.kind, split.takes, split.gives) == ("Split", ("in0",), ("1", "2"))
    assert several.layers[3].parameters == {"0": "4", "1": "1", "2": "32"}
    (_, convolution) = read_layers(CONVOLUTION % 0, "x.param")
    assert convolution.parameters["-23310"] == "1,6.0"
    assert not convolution.is_int8
    assert read_layers(CONVOLUTION % 2, "x.param")[1].is_int8


def test_ends_and_scheme_are_told_without_the_engine(tmp_path: Path) -> None:
    for float16, scheme in ((False, "float32"), (True, "float16")):
        path = dense_ncnn(tmp_path / f"{scheme}.param", float16=float16)
        specification = named("ncnn").specification(path)
        assert specification is not None
        assert [(spec.name, spec.shape) for spec in specification.inputs] == [("x", (1, 8))]
        assert specification.scheme == scheme
        artifact = open_artifact(path)
        assert (artifact.format, artifact.scheme) == ("ncnn", scheme)
        assert artifact.size == sum(item.stat().st_size for item in named("ncnn").files(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "does not begin with 7767517"),
        (b"7767517\n", "it ends there"),
        (b"7767518\n", "does not begin with 7767517"),
        (CONVOLUTION[:-40], "the line of 'conv' is too short"),
        (b"7767517\n1 1\nInput in0 0 3 a b\n", "the line of 'in0' is too short"),
        (b"7767517\n1 1\nInput in0 0 1 a 5\n", "the parameters of 'in0' are no pairs"),
        (b"7767517\n3 1\nInput in0 0 1 a\n", "should have 3 layers, and has 1"),
        (b"7767517\n1 1\nInput in0 -1 1 a\n", "the line of 'in0' is too short"),
        (b"\xff\xfe" * 100, "does not begin"),
    ],
)
def test_what_is_no_param_is_named(content: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        read_layers(content, "x.param")


def test_a_network_without_its_other_files_is_refused(tmp_path: Path) -> None:
    path = dense_ncnn(tmp_path / "net.param")
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelError, match=r"net\.bin"):
        open_artifact(path)
