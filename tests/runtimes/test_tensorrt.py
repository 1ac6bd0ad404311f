"""TensorRT as far as it goes without a GPU: engine files, what they are bound to, and refusals by name.

Compiler and runtime themselves were written by TensorRT's documentation, and are run by no test.
"""

import importlib.util
from pathlib import Path

import pytest

from edgerig.artifact import TensorSpec
from edgerig.compilers.base import ModelCompiler
from edgerig.errors import EdgerigError, ModelError
from edgerig.measure.census import Census, verdicts
from edgerig.measure.kinds import Unavailable
from edgerig.models.files import open_artifact
from edgerig.models.tensorrt_engine import Bound, packed, unpacked, why_not_here
from edgerig.plugins import make
from edgerig.runtimes.base import Runtime
from edgerig.runtimes.tensorrt import census_of
from edgerig.testing.networks import dense_onnx

PLAN = b"a plan" * 10
BOUND = Bound(
    version="10.3.0",
    device="Orin",
    capability="8.7",
    precision="int8",
    bytes=len(PLAN),
    inputs=(TensorSpec("x", (1, 8), "float32"),),
    outputs=(TensorSpec("y", (1, 4), "float32"),),
)
without_tensorrt = pytest.mark.skipif(importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed")


def test_engine_file_tells_its_tensors_and_what_it_is_bound_to(tmp_path: Path) -> None:
    path = tmp_path / "net.engine"
    path.write_bytes(packed(BOUND, PLAN))
    assert unpacked(path.read_bytes(), path.name) == (BOUND, PLAN)
    artifact = open_artifact(path)
    assert (artifact.format, artifact.scheme, artifact.inputs) == ("tensorrt", "int8", BOUND.inputs)
    assert artifact.file_format.details(path)["runs on"] == "Orin, 8.7"


@pytest.mark.parametrize(
    ("version", "device", "capability", "words"),
    [
        ("10.3.0", "Orin", "8.7", None),
        ("10.4.0", "Orin", "8.7", "was built by TensorRT 10.3.0; this is 10.4.0"),
        ("10.3.0", "H200", "9.0", "was built for Orin (compute capability 8.7); this device is H200 (9.0)"),
    ],
)
def test_engine_of_another_device_or_version_is_refused_by_name(
    version: str, device: str, capability: str, words: str | None
) -> None:
    assert why_not_here(BOUND, version, device, capability) == words


def test_damaged_engine_files_are_refused() -> None:
    whole = packed(BOUND, PLAN)
    for length in (0, 5, 18, 30, len(whole) - len(PLAN), len(whole) - 1):
        with pytest.raises(ModelError, match=r"net\.engine is (damaged|no engine file)"):
            unpacked(whole[:length], "net.engine")
    with pytest.raises(ModelError, match="is no engine file of edgerig's compiler tensorrt"):
        unpacked(PLAN, "net.engine")


@without_tensorrt
def test_runtime_is_refused_by_name_where_tensorrt_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "net.engine"
    path.write_bytes(packed(BOUND, PLAN))
    with pytest.raises(EdgerigError, match="tensorrt needs tensorrt, which is not installed"):
        make("runtime", "tensorrt", Runtime, {}).load(path)


@without_tensorrt
@pytest.mark.parametrize("name", ["tensorrt", "tensorrt-float16", "tensorrt-int8"])
def test_compilers_are_refused_by_name_where_tensorrt_is_missing(tmp_path: Path, name: str) -> None:
    artifact = open_artifact(dense_onnx(tmp_path / "net.onnx"))
    with pytest.raises(EdgerigError, match=f"{name} needs tensorrt, which is not installed"):
        make("compiler", name, ModelCompiler, {}).compile(artifact, tmp_path / "out")


#: As `get_engine_information` gives it of an engine with detailed profiling verbosity.
INSPECTED = """{"Layers": [
 {"Name": "conv1", "LayerType": "CaskConvolution", "Inputs": [{"Format/Datatype": "Row major Int8 format"}]},
 {"Name": "conv2", "LayerType": "CaskConvolution", "Inputs": [{"Format/Datatype": "Row major linear FP16 format"}]},
 {"Name": "r", "LayerType": "Reformat", "Inputs": [{"Name": "x", "Format/Datatype": "Row major linear FP32"}]}
]}"""


def test_layers_that_stay_in_another_type_are_told() -> None:
    census = census_of(INSPECTED, "int8", "Orin")
    assert isinstance(census, Census)
    (verdict,) = verdicts(census)
    assert verdict.text == "int8 was asked for: 1 of 2 convolutions ran in float16."
    assert {group.placement for group in census.operators} == {"Orin"}


def test_engine_without_details_has_no_census() -> None:
    assert isinstance(census_of('{"Layers": ["conv1", "conv2"]}', "int8", "Orin"), Unavailable)
