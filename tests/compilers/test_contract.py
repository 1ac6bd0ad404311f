"""Every compiler of ours keeps the promises of a compiler."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.compilers.on_float_tflite import OnFloatTflite

from edgerig import plugin_names, plugins
from edgerig.artifact import Artifact
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.c_array import CArray
from edgerig.compilers.float32 import Float32
from edgerig.compilers.quantize import Dynamic, Float16, Int8, Int8Settings, Int16x8


class TestFloat32(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls, keras_net: Artifact) -> Artifact:
        return keras_net

    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Float32()

    def test_shapes_stay(self, artifact: Artifact, compiled: Artifact) -> None:
        assert [spec.shape for spec in compiled.inputs] == [(1, *spec.shape[1:]) for spec in artifact.inputs]


class TestFloat32PassingThrough(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Float32()


class TestFloat16(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Float16()


class TestDynamic(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Dynamic()


class TestInt8(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Int8()


class TestInt8WithOtherEnds(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Int8(Int8Settings(input_type="uint8", output_type="float32", calibration_samples=10))


class TestInt16x8(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return Int16x8()


class TestCArray(OnFloatTflite):
    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        return CArray()


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "int16x8", "c-array"])
def test_they_are_found_by_their_names(name: str) -> None:
    found = plugins.find("compiler", name, ModelCompiler)
    assert found.name == name
    assert found.missing() is None


def test_a_compiler_never_overwrites_its_input(float_net: Artifact, tmp_path: Path) -> None:
    """A plugin that keeps the format and whose input bears the name that its output would get."""
    import msgspec

    from edgerig.errors import UsageError

    path = tmp_path / "net_float32.tflite"
    path.write_bytes(float_net.read())

    class Same(Float32):
        name = "float32"

    link = tmp_path / "net.tflite"
    link.symlink_to(path)
    with pytest.raises(UsageError, match="overwrite"):
        Same().compile(msgspec.structs.replace(float_net, path=str(link)), tmp_path)
    assert path.read_bytes() == float_net.read()


def test_a_full_disk_is_told_and_leaves_nothing(float_net: Artifact, tmp_path: Path, monkeypatch) -> None:
    import errno
    import os

    from edgerig.errors import StorageError

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"net_float16\.tflite: No space left") as caught:
        Float16().compile(float_net, tmp_path)
    assert "disk is full" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_the_guide_names_every_compiler_and_every_setting_it_uses() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "compilers.md").read_text()
    for name in plugin_names.names("compiler"):
        assert f"| `{name}` |" in guide
    for setting in ("calibration_samples", "input_type", "output_type"):
        assert setting in {key for key, _, _ in plugins.describe(Int8.Settings)}
        assert f"`{setting}`" in guide
