"""The contract of a compiler, as tests.

A plugin author subclasses `CompilerContract` in a test file and provides three fixtures::

    class TestMyCompiler(CompilerContract):
        @pytest.fixture(scope="class")
        @classmethod
        def compiler(cls): return MyCompiler()

        @pytest.fixture(scope="class")
        @classmethod
        def artifact(cls): return open_artifact(Path("net.tflite"))  # small: it is compiled several times

        @pytest.fixture(scope="class")
        @classmethod
        def dataset(cls): return MyDataset()  # None if the compiler does not calibrate
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from edgerig import formats
from edgerig.artifact import Artifact, sidecar_path
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.errors import IncompatibleError, StorageError, UsageError
from edgerig.files import sha256
from edgerig.plugins import Settings, describe
from edgerig.progress import Progress, Task

SCHEMES = {None, "float32", "float16", "dynamic", "int8", "int16x8"}


class _Stopped(Progress):
    """The user presses Ctrl-C as soon as a task has begun."""

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        yield Task(name, total)
        raise KeyboardInterrupt


class CompilerContract:
    """Tests that every `ModelCompiler` passes."""

    @pytest.fixture(scope="class")
    @classmethod
    def compiler(cls) -> ModelCompiler:
        """The compiler under test."""
        raise NotImplementedError("give the fixture `compiler`")

    @pytest.fixture(scope="class")
    @classmethod
    def artifact(cls) -> Artifact:
        """A small network that it can compile."""
        raise NotImplementedError("give the fixture `artifact`")

    @pytest.fixture(scope="class")
    @classmethod
    def dataset(cls) -> Dataset | None:
        """A small dataset for that network, or None."""
        raise NotImplementedError("give the fixture `dataset`")

    @pytest.fixture(scope="class")
    @classmethod
    def compiled(
        cls,
        compiler: ModelCompiler,
        artifact: Artifact,
        dataset: Dataset | None,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Artifact:
        """Its output, shared by the tests."""
        return compiler.compile(artifact, tmp_path_factory.mktemp("compiled"), dataset)

    def test_compiler_says_what_it_is(self, compiler: ModelCompiler) -> None:
        assert compiler.name
        assert compiler.summary
        assert issubclass(compiler.Settings, Settings)
        assert all(text for _, _, text in describe(compiler.Settings)), "every setting needs a description"

    def test_formats_and_scheme_are_known_ones(self, compiler: ModelCompiler) -> None:
        assert compiler.takes
        for name in (*compiler.takes, compiler.makes):
            assert formats.named(name).name == name
        assert compiler.scheme in SCHEMES

    def test_an_unknown_format_is_refused_with_a_reason(self, compiler: ModelCompiler) -> None:
        reason = compiler.refuses("punched-cards", "float32")
        assert reason
        assert "punched-cards" in reason

    def test_the_network_is_not_refused(self, compiler: ModelCompiler, artifact: Artifact) -> None:
        assert compiler.refuses(artifact.format, artifact.scheme) is None

    def test_the_file_is_what_the_description_says(self, compiler: ModelCompiler, compiled: Artifact) -> None:
        path, format = Path(compiled.path), formats.named(compiler.makes)
        assert path.suffix in format.suffixes
        assert compiled.format == compiler.makes
        members = format.files(path)
        assert sum(member.stat().st_size for member in members) == compiled.size
        assert sha256(format.payload(path)) == compiled.sha256
        assert Artifact.load(sidecar_path(path)) == compiled
        assert compiled.name == (path.parent.name if format.storage == "files" else path.stem)

    def test_nothing_else_is_left(self, compiled: Artifact) -> None:
        path = Path(compiled.path)
        format = formats.named(compiled.format)
        out = path.parent.parent if format.storage == "files" else path.parent
        left = {item for item in out.rglob("*") if not item.is_dir()}
        assert left == {*format.files(path), sidecar_path(path)}

    def test_the_scheme_is_the_declared_one(
        self, compiler: ModelCompiler, artifact: Artifact, compiled: Artifact
    ) -> None:
        assert compiled.scheme == (compiler.scheme or artifact.scheme)

    def test_preprocessing_and_classes_are_carried_over(self, artifact: Artifact, compiled: Artifact) -> None:
        assert (compiled.preprocessing, compiled.classes) == (artifact.preprocessing, artifact.classes)

    def test_shapes_stay(self, artifact: Artifact, compiled: Artifact) -> None:
        assert [spec.shape for spec in compiled.inputs] == [spec.shape for spec in artifact.inputs]
        assert [spec.shape for spec in compiled.outputs] == [spec.shape for spec in artifact.outputs]

    def test_the_origin_is_told(self, compiler: ModelCompiler, artifact: Artifact, compiled: Artifact) -> None:
        assert compiled.origins[:-1] == artifact.origins
        origin = compiled.origins[-1]
        assert (origin.tool, origin.parent) == (compiler.name, artifact.sha256)
        assert "edgerig" in origin.versions
        assert origin.seconds is not None
        assert origin.seconds > 0
        settings = msgspec.to_builtins(compiler.settings)
        assert {key: origin.options.get(key) for key in settings} == settings

    def test_equal_inputs_give_equal_files(
        self, compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None, compiled: Artifact, tmp_path: Path
    ) -> None:
        assert compiler.compile(artifact, tmp_path, dataset).sha256 == compiled.sha256

    def test_the_input_is_left_alone(self, artifact: Artifact, compiled: Artifact) -> None:
        assert artifact.read()

    def test_a_refused_network_leaves_nothing(
        self, compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None, tmp_path: Path
    ) -> None:
        refused = msgspec.structs.replace(artifact, format="punched-cards")
        with pytest.raises(IncompatibleError, match="punched-cards"):
            compiler.compile(refused, tmp_path / "out", dataset)
        assert not (tmp_path / "out").exists()

    def test_a_folder_that_is_none_is_told(
        self, compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(StorageError):
            compiler.compile(artifact, tmp_path / "file", dataset)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_the_user_can_stop_it(
        self, compiler: ModelCompiler, artifact: Artifact, dataset: Dataset | None, tmp_path: Path
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            compiler.compile(artifact, tmp_path / "out", dataset, _Stopped())
        assert not (tmp_path / "out").exists()

    def test_calibration_without_a_dataset_is_refused(
        self, compiler: ModelCompiler, artifact: Artifact, tmp_path: Path
    ) -> None:
        if not compiler.needs_dataset:
            pytest.skip("it does not calibrate")
        with pytest.raises(UsageError, match="dataset"):
            compiler.compile(artifact, tmp_path / "out")
        assert not (tmp_path / "out").exists()
