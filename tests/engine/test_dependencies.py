"""The rule of the stages' keys: whatever could change what is built changes the key, and nothing else does."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig import plugin_names, plugins
from edgerig.artifact import Artifact, Preprocessing, TensorSpec
from edgerig.cache import StageCache
from edgerig.compilers.base import ModelCompiler
from edgerig.datasets.base import Dataset
from edgerig.engine import dependencies
from edgerig.engine.stages import Stages
from edgerig.environments.requirements import named_requirement, requirements_of
from edgerig.errors import UsageError
from edgerig.formats import Format
from edgerig.models.base import ModelWrapper
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.runtimes.base import Runtime
from edgerig.testing import networks

DATASET = """\
import json
from pathlib import Path
import numpy as np
from edgerig.artifact import Preprocessing
from edgerig.datasets.base import Dataset
from edgerig.datasets.samples import ArraySamples

TABLE = Path(__file__).with_name("table.json")

class Shifted(ArraySamples):
    def inputs(self, indices, preprocessing):
        return super().inputs(indices, preprocessing) + np.float32(json.loads(TABLE.read_text()))

    def take(self, indices):
        return Shifted(self.array[indices], self.labels[indices])

class Mine(Dataset):
    name = "mine"
    summary = "two classes"
    classes = ("a", "b")
    preprocessing = Preprocessing(scale=SCALE)

    def _prepare(self, progress):
        pass

    def _split(self, name):
        x = np.arange(80, dtype=np.float32).reshape(20, 4)
        return Shifted(x, np.arange(20) % 2)
"""


class Data:
    """A dataset in a module of its own that reads a table beside it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.write(DATASET.replace("SCALE", "0.5"))
        self.table(0.0)

    def write(self, text: str) -> None:
        (self.folder / f"{self.name}.py").write_text(text)

    def table(self, value: float) -> None:
        (self.folder / "table.json").write_text(json.dumps(value))

    def make(self) -> Dataset:
        sys.modules.pop(self.name, None)
        return make("dataset", f"{self.name}:Mine", Dataset)

    def key(self) -> str:
        return StageCache.key("k", data=dependencies.of_dataset(self.make()))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Data:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Data(tmp_path, f"data_{abs(hash(request.node.name))}")


def test_a_dataset_that_did_not_change_has_the_same_key(data: Data) -> None:
    assert data.key() == data.key()


def test_its_declared_preprocessing_counts(data: Data) -> None:
    before = data.key()
    data.write(DATASET.replace("SCALE", "0.25"))
    assert data.key() != before


def test_its_preprocessing_as_it_is_applied_counts_wherever_it_is_written_down(data: Data) -> None:
    before = data.key()
    data.table(1.0)
    assert data.key() != before


def test_preprocessing_that_the_network_asks_for_counts(data: Data) -> None:
    dataset = data.make()
    one, other = (dependencies.of_dataset(dataset, Preprocessing(scale=scale)) for scale in (1.0, 2.0))
    assert StageCache.key("k", d=one) != StageCache.key("k", d=other)


def test_labels_count(data: Data) -> None:
    before = data.key()
    data.write(DATASET.replace("SCALE", "0.5").replace("np.arange(20) % 2", "np.arange(20) // 10"))
    assert data.key() != before


def test_pictures_changed_under_the_same_names_sizes_and_times_count(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for place in range(12):
        for name in "ab":
            (tmp_path / name).mkdir(exist_ok=True)
            image.new("RGB", (4, 4), (place, 0, 0)).save(tmp_path / name / f"{place}.bmp")

    def key() -> str:
        dataset = make("dataset", "folder", Dataset, {"root": str(tmp_path), "size": 4})
        return StageCache.key("k", data=dependencies.of_dataset(dataset))

    before = key()
    assert key() == before
    path = tmp_path / "a" / "3.bmp"
    stat = path.stat()
    image.new("RGB", (4, 4), (200, 9, 9)).save(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    assert key() != before


class FileSettings(plugins.Settings, frozen=True, kw_only=True):
    table: str = ""
    nested: dict[str, list[str]] = msgspec.field(default_factory=dict)


class Reader(plugins.Plugin):
    name = "reader"
    summary = "reads files"
    Settings = FileSettings
    also: tuple[Path, ...] = ()

    def reads(self) -> tuple[Path, ...]:
        return self.also


@pytest.mark.slow
def test_files_named_in_settings_count_by_content_and_not_by_path(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("x")
    other.write_text("x")

    def of(**settings: Any) -> Any:
        return dependencies.of_plugin(Reader(FileSettings(**settings)))

    assert of(table=str(one)) == of(table=str(other))
    assert of(nested={"a": [str(one)]}) == of(nested={"a": [str(other)]})
    other.write_text("y")
    assert of(table=str(one)) != of(table=str(other))
    assert of(nested={"a": [str(one)]}) != of(nested={"a": [str(other)]})
    assert of(table="plain") != of(table="words")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").write_text("1")
    before = of(table=str(folder))
    (folder / "a").write_text("2")
    assert of(table=str(folder)) != before


def test_settings_that_json_has_no_number_for_are_not_the_same() -> None:
    """JSON's null stands for infinity, for NaN and for nothing at all."""
    values: list[Any] = [math.inf, -math.inf, math.nan, None, "inf", 1.0, [math.inf], [-math.inf]]
    keys = {StageCache.key("k", settings={"limit": value}) for value in values}
    assert len(keys) == len(values)
    assert StageCache.key("k", limit=math.nan) == StageCache.key("k", limit=float("nan"))


#: Packages of the extras that make and run nothing.
OTHERS = {
    "numpy", "edgerig", "tensorboardx", "click", "jinja2", "msgspec", "psutil", "pyyaml", "rich", "pyserial", "ziglang",
    "unicorn", "pyelftools",
}  # fmt: skip


@pytest.mark.parametrize("noun", ["compiler", "runtime", "format", "model"])
def test_versions_of_all_that_edgerigs_own_plugins_need_count(noun: str) -> None:
    bases: dict[str, type[plugins.Plugin]] = {
        "compiler": ModelCompiler, "runtime": Runtime, "format": Format, "model": ModelWrapper
    }  # fmt: skip
    needed = set()
    for name in plugin_names.names(noun):
        plugin = plugins.find(noun, name, bases[noun])
        if plugin.__module__.startswith("edgerig."):
            needed |= {plugin.extra} - {None}
    packages = {named_requirement(text)[0] for extra in needed for text in requirements_of(extra)}
    assert packages - OTHERS <= set(dependencies.BUILDERS)


def test_a_folder_in_the_working_folder_counts_for_a_users_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    keys = []
    for text in ("1", "2"):
        (tmp_path / "weights" / "a").write_text(text)
        keys.append(dependencies.of_plugin(Reader(FileSettings(table="weights"))))
    assert keys[0] != keys[1]


def test_files_that_a_plugin_says_it_reads_count(tmp_path: Path) -> None:
    reader = Reader()
    reader.also = (tmp_path / "t",)
    keys = []
    for text in ("1", "2"):
        (tmp_path / "t").write_text(text)
        keys.append(msgspec.json.encode(dependencies.of_plugin(reader)))
    assert keys[0] != keys[1]


@pytest.mark.parametrize(
    "variable",
    ["KERAS_FLOATX", "JAX_ENABLE_X64", "XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "ATEN_CPU_CAPABILITY", "MKL_CBWR"],
)
def test_what_sets_in_the_environment_how_is_computed_counts(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.delenv(variable, raising=False)
    before = dependencies.surroundings()
    monkeypatch.setenv(variable, "--other")
    assert dependencies.surroundings() != before


@pytest.mark.parametrize("variable", ["TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND", "OPENVINO_LIB_PATHS", "CUDA_HOME"])
def test_what_sets_there_what_is_said_or_where_things_lie_does_not(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    before = dependencies.surroundings()["environment"]
    monkeypatch.setenv(variable, "other")
    assert dependencies.surroundings()["environment"] == before


def test_the_settings_file_of_keras_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    before = dependencies.surroundings()
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    assert dependencies.surroundings() != before


def test_edgerigs_own_code_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dependencies.surroundings()
    monkeypatch.setattr(dependencies, "own_code", lambda: "another checkout of the same version")
    assert dependencies.surroundings() != before


def artifact(**changes: Any) -> Artifact:
    spec = TensorSpec("x", (1, 4), "float32")
    made = Artifact(name="n", format="tflite", sha256="0" * 64, size=1, inputs=(spec,), outputs=(spec,), path="/a/n")
    return msgspec.structs.replace(made, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "1" * 64},
        {"classes": ("a", "b")},
        {"preprocessing": Preprocessing(scale=2)},
        {"name": "m"},
        {"scheme": "int8"},
        {"outputs": ()},
    ],
)
def test_all_that_an_artifact_says_of_itself_counts(changes: dict[str, Any]) -> None:
    assert dependencies.of_artifact(artifact(**changes)) != dependencies.of_artifact(artifact())
    assert dependencies.of_artifact(artifact(path="/b/n")) == dependencies.of_artifact(artifact())


def test_calibration_depends_on_the_preprocessing_and_a_compiler_that_does_not_calibrate_does_not(data: Data) -> None:
    stages = Stages(StageCache(), data.make(), Progress())
    int8, float16 = (make("compiler", name, ModelCompiler) for name in ("int8", "float16"))
    assert stages._compiled_with(float16, artifact()) is None
    one = stages._compiled_with(int8, artifact())
    assert one != stages._compiled_with(int8, artifact(preprocessing=Preprocessing(scale=2)))
    data.table(3.0)
    assert one != stages._compiled_with(int8, artifact())


MODEL = """\
from edgerig.artifact import Preprocessing
from edgerig.models.keras.base import KerasModel
from edgerig.models.keras.engine import import_keras
from sizes import FILTERS

class Tiny(KerasModel):
    name = "tiny"
    summary = "a small network"
    input_shape = (28, 28, 1)

    def preprocessing(self, dataset):
        return Preprocessing(scale=1 / 255)

    def build(self, classes):
        keras = import_keras()
        layers = keras.layers
        return keras.Sequential([
            keras.Input(self.input_shape), layers.Conv2D(FILTERS, 3, strides=4), layers.Flatten(),
            layers.Dense(classes, activation="softmax"),
        ])
"""
RIG = """\
name: tiny
model: {use: "tiny_model:Tiny", train: {epochs: 1, train_samples: 64}}
dataset: mnist
measure: {samples: 20, warmup: 0, rounds: 1, seconds: 0, profile: false, transport_samples: 0}
"""


@pytest.mark.slow
def test_an_edited_network_is_trained_anew_and_one_that_was_not_is_taken_from_the_cache(tmp_path: Path) -> None:
    (tmp_path / "tiny_model.py").write_text(MODEL)
    (tmp_path / "rig.yaml").write_text(RIG)
    sizes = []
    for number, filters in enumerate((16, 16, 4)):
        (tmp_path / "sizes.py").write_text(f"FILTERS = {filters}\n")
        done = subprocess.run(
            [sys.executable, "-m", "edgerig", "run", "rig.yaml", "--out", f"out{number}", "--json"],
            cwd=tmp_path,
            env={**os.environ, "EDGERIG_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            check=True,
        )
        result = json.loads(done.stdout)
        sizes.append((result["stages"]["train tiny_model:Tiny"], result["cells"][0]["artifact"]["size"]))
    assert [built for built, _ in sizes] == ["built", "cached", "built"]
    assert sizes[0][1] == sizes[1][1] > sizes[2][1]


def test_reference_scores_follow_the_dataset(digit_net: Path, data: Data) -> None:
    """The float model's scores are kept under the samples as they go in, whatever the fingerprint says."""
    dataset = data.make()
    before = dependencies.of_samples(dataset.split("test"), Preprocessing())
    data.table(5.0)
    after = dependencies.of_samples(dataset.split("test"), Preprocessing())
    assert before[0] == after[0]
    assert before != after
    assert np.isfinite(dataset.split("test").inputs(slice(0, 1), Preprocessing())).all()


@pytest.mark.slow
def test_a_run_is_not_resumed_on_samples_that_have_changed(data: Data, tmp_path: Path) -> None:
    network = networks.dense_tflite(tmp_path / "small.tflite", 4, 2)
    matrix = {"runtimes": [{"use": "litert", "name": name} for name in "ab"]}
    measure = {"warmup": 0, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0}
    rig = {"model": str(network), "dataset": f"{data.name}:Mine", "matrix": matrix, "measure": measure}
    sys.modules.pop(data.name, None)
    edgerig.run(rig, out=tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    (tmp_path / "out" / "cells" / "small-a-local" / "result.json").unlink()
    assert len(edgerig.run(rig, out=tmp_path / "out", resume=True).cells) == 2
    (tmp_path / "out" / "results.json").unlink()
    data.table(7.0)
    with pytest.raises(UsageError, match="the dataset has changed since"):
        edgerig.run(rig, out=tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "cells" / "small-a-local" / "result.json").is_file()
