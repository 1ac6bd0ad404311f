import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import edgerig
from edgerig.errors import SpecError
from edgerig.rig.document import Document, read_document
from edgerig.rig.dump import rig_to_yaml
from edgerig.rig.parse import parse_rig
from edgerig.rig.types import Rig


def rig(**changes: Any) -> Rig:
    data: dict[str, Any] = {
        "model": {"use": "mnist-cnn"},
        "dataset": "mnist",
        "matrix": [{"compilers": ["int8"], "runtimes": ["litert"]}],
    }
    data.update(changes)
    return parse_rig(Document({key: value for key, value in data.items() if value is not ...}, "rig.yaml"))


def test_short_forms_mean_the_same_as_long_ones() -> None:
    assert rig(dataset="mnist").dataset == rig(dataset={"use": "mnist"}).dataset
    assert rig(model="mnist-cnn").model == rig(model={"use": "mnist-cnn"}).model
    single = rig(matrix={"runtimes": "litert"}).matrix
    assert single == rig(matrix=[{"runtimes": ["litert"], "targets": ["local"], "compilers": ["none"]}]).matrix


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"datasett": "mnist"}, "unknown key 'datasett'; did you mean 'dataset'?"),
        ({"dataset": "mnits"}, "Did you mean 'mnist'?"),
        ({"dataset": ...}, "the key 'dataset' is missing"),
        ({"dataset": {"use": "mnist", "fulll": True}}, "Did you mean 'full'?"),
        ({"dataset": {"use": "mnist", "full": "perhaps"}}, "full: expected `bool`"),
        ({"dataset": 3}, "must be a dataset's name"),
        ({"model": {"use": "mnist-cnn", "train": {"epoch": 3}}}, "Did you mean 'epochs'?"),
        ({"model": {"use": "mnist-cnn", "train": {"epochs": -1}}}, "model.train: epochs: expected `int` >= 0"),
        ({"model": {"use": "mnist-cnn", "file": "a.tflite"}}, "needs either 'use'"),
        ({"model": {}}, "needs either 'use'"),
        ({"model": {"file": "/nowhere/a.tflite"}}, "there is no file /nowhere/a.tflite"),
        ({"matrix": []}, "is empty"),
        ({"matrix": [{"compilers": ["int8"]}]}, "the key 'runtimes' is missing"),
        ({"matrix": [{"runtimes": ["litert"], "target": ["local"]}]}, "did you mean 'targets'?"),
        ({"matrix": [{"runtimes": ["litter"]}]}, "Did you mean 'litert'?"),
        ({"matrix": [{"runtimes": ["onnx"]}]}, "Did you mean 'onnxruntime'?"),
        ({"matrix": [{"runtimes": ["litert"], "targets": ["raspberrypi"]}]}, "Write tcp://raspberrypi:7433."),
        ({"matrix": [{"runtimes": ["litert"], "targets": ["tcp:/pi"]}]}, "'tcp:/pi' is not an address of a device."),
        ({"matrix": [{"runtimes": ["litert"], "samples": 0}]}, "must be a whole number, at least 1"),
        ({"matrix": [{"runtimes": ["litert"], "samples": "many"}]}, "must be a whole number, at least 1"),
        ({"matrix": [{"runtimes": ["micro"], "targets": ["sim:stm32f747"]}]}, "Did you mean 'stm32f746'?"),
        ({"matrix": [{"runtimes": ["micro"], "targets": [{"use": "sim:stm32f746", "level": 9}]}]}, "level"),
        ({"matrix": [{"runtimes": [{"use": "litert", "threads": 0}]}]}, "threads: expected `int` >= 1"),
        ({"matrix": [{"runtimes": ["litert"], "targets": ["udp://x:1"]}]}, "udp"),
        ({"matrix": [{"runtimes": ["litert"], "compilers": ["itn8"]}]}, "Did you mean 'int8'?"),
        ({"matrix": [{"runtimes": ["no.such.module:Class"]}]}, "Cannot import"),
        ({"matrix": [{"runtimes": ["pathlib:Path"]}]}, "is not a runtime"),
        ({"measure": {"sample": 3}}, "Did you mean 'samples'?"),
        ({"measure": [1]}, "must be a mapping"),
        ({"measure": {"samples": 0}}, "measure: samples: expected `int` >= 1"),
        ({"measure": {"samples": 1.0}}, "measure: samples: 1.0 has a decimal point"),
        ({"measure": {"width": 2}}, "is as wide as the latency itself; two percent are 0.02 or 2 %"),
        ({"matrix": [{"runtimes": ["litert"], "targets": ["pi:7433"]}]}, "Write tcp://pi:7433."),
        (
            {"matrix": [{"runtimes": ["litert"], "compilers": [{"use": "int8", "input_type": "int4"}]}]},
            "input_type: 'int4' is none of 'int8', 'uint8', 'float32'",
        ),
        ({"name": "../up"}, "cannot be the name of the run's folder"),
        ({"name": "a\x00b"}, "cannot be the name of the run's folder"),
        ({"matrix": [{"runtimes": [{"use": "litert", "name": "a\x1b[2Jb"}]}]}, "are printable text"),
        ({"matrix": [{"runtimes": [{"use": "litert", "name": "x" * 1001}]}]}, "at most 1000 characters"),
        ({"measure": {"seconds": float("inf")}}, "seconds: inf is not a finite number"),
        ({"matrix": [{"runtimes": ["litter"]}] * 60}, "and 10 more"),
        ({"model": {"file": ["net.tflite"]}}, "file: must be text: the path of a model file"),
        ({"matrix": [{"runtimes": ["litert"], "models": [["x"] * 5000]}]}, "… (25,"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        rig(**changes)
    assert said in str(caught.value)


def test_a_workflow_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text("name: w\nsteps: {train: {run: train mlp}}\n")
    with pytest.raises(SpecError, match=r"w.yaml is a workflow, and no rig file.\nedgerig workflow run"):
        parse_rig(read_document(tmp_path / "w.yaml"))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        rig(dataset="mnits", measure={"sample": 1}, extra=1)
    assert "has 3 problems" in str(caught.value)


def test_every_problem_of_a_part_is_told_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(
        "model: {fil: x, train: {epoch: 1}}\n"
        "dataset: {use: mnist, fulll: 1, validation: [3]}\n"
        "matrix: {runtimes: [{use: litert, threads: 0, kernel: x}], compilers: [{uze: int8}]}\n"
        "measure:\n"
        "  sample: 100\n"
        "  rounds: -1\n"
        "  scenario: servr\n"
        "  latency_bound: 3 parsecs\n"
        "  width: much\n"
        "gate: {latency: [5 %, much], ram: few}\n"
    )
    with pytest.raises(SpecError) as caught:
        parse_rig(read_document(path))
    text = str(caught.value)
    for said in (
        "rig.yaml:1: model.fil: unknown key 'fil'; did you mean 'file'?",
        "rig.yaml:1: model.train.epoch: Unknown setting of model.train: 'epoch'. Did you mean 'epochs'?",
        "rig.yaml:2: dataset.fulll: Unknown setting of dataset 'mnist': 'fulll'. Did you mean 'full'?",
        "rig.yaml:2: dataset: validation: expected",
        "rig.yaml:3: matrix.runtimes.0: threads: expected `int` >= 1",
        "rig.yaml:3: matrix.runtimes.0.kernel: Unknown setting of runtime 'litert': 'kernel'. Did you mean 'kernels'?",
        "rig.yaml:3: matrix.compilers.0: must be a compiler's name, or a mapping with 'use' and its settings; is 'uze'",
        "rig.yaml:5: measure.sample: Unknown setting of measure: 'sample'. Did you mean 'samples'?",
        "rig.yaml:6: measure: rounds: expected",
        "rig.yaml:7: measure: scenario: 'servr' is none of",
        "did you mean 'server'?",
        "rig.yaml:8: measure: latency_bound: '3 parsecs' is no time, such as 50 ms",
        "rig.yaml:9: measure: width: 'much' is no share",
        "rig.yaml:10: gate.latency: gate: latency: 'much' is no limit",
        "rig.yaml:10: gate.ram: gate: ram: 'few' is no limit",
    ):
        assert said in text, text
    assert text.count("needs either") == 0
    assert f"has {text.count('  - ')} problems" in text


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        ({"rounds": -1, "streams": 4}, ["rounds: expected", "streams: 4 is of the scenarios"]),
        ({"scenario": "offline", "rate": 3, "streams": 2}, ["say how many, such as batch", "rate: 3", "streams: 2"]),
        # What is said of one setting alone does not blame others for it.
        ({"scenario": "servr", "streams": 2}, ["'servr' is none of"]),
        ({"scenario": "server", "latency_bound": 50}, ["latency_bound: 50 of what? Write 50 ms, or 50 s"]),
        ({"scenario": "server", "latency_bound": "0.5"}, ["latency_bound: 0.5 of what?"]),
    ],
)
def test_what_settings_say_together_is_told_beside_what_is_wrong_of_one(measure: Any, said: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        rig(measure=measure)
    text = str(caught.value)
    assert all(each in text for each in said), text
    assert text.count("rig.yaml: ") == (2 if "rounds: expected" in said else 1), text


def test_shapes_of_a_file_that_leaves_none_free_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"x")
    data = {"model": {"file": "net.tflite", "shapes": {"x": [1, 3]}}, "dataset": "mnist"}
    with pytest.raises(SpecError, match=r"model\.shapes: net\.tflite is a tflite file, whose shapes are fixed"):
        parse_rig(Document(data, "rig.yaml", tmp_path))


def test_a_bound_in_the_bundles_rig_has_its_unit() -> None:
    first = rig(measure={"scenario": "server", "latency_bound": "50 ms"})
    assert "latency_bound: 0.05 s" in rig_to_yaml(first)
    assert parse_rig(Document(yaml.safe_load(rig_to_yaml(first)), "rig.yaml")) == first


def test_paths_start_at_the_rig_files_folder(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"x")
    data = {"model": {"file": "net.tflite"}, "dataset": "mnist", "matrix": {"runtimes": ["litert"]}}
    parsed = parse_rig(Document(data, "rig.yaml", tmp_path))
    assert parsed.model.file == str(tmp_path / "net.tflite")


def test_the_yaml_of_a_rig_describes_the_same_rig(tmp_path: Path) -> None:
    import yaml

    first = rig(
        name="x",
        matrix=[
            {"compilers": [{"use": "int8", "name": "mine", "input_type": "uint8"}], "runtimes": ["litert"]},
            {"runtimes": [{"use": "litert", "threads": 2}], "samples": 30},
        ],
        model={"use": "mnist-cnn", "train": {"epochs": 1}},
    )
    again = parse_rig(Document(yaml.safe_load(rig_to_yaml(first)), "rig.yaml"))
    assert again == first


@pytest.mark.parametrize(
    ("model", "way"),
    [
        ("mnist-cnn", ("float32", "litert")),
        ({"file": "net.tflite"}, ("none", "litert")),
        ({"file": "net.onnx"}, ("none", "onnxruntime")),
        ({"file": "net.keras"}, ("float32", "litert")),
    ],
)
def test_without_a_matrix_the_model_runs_as_it_is_on_its_usual_runtime_here(
    tmp_path: Path, model: Any, way: tuple[str, str]
) -> None:
    if isinstance(model, dict):
        (tmp_path / model["file"]).write_bytes(b"x")
    (block,) = parse_rig(Document({"model": model, "dataset": "mnist"}, "rig.yaml", tmp_path)).matrix
    assert ([p.use for p in block.compilers], [p.use for p in block.runtimes]) == ([way[0]], [way[1]])
    assert [part.use for part in block.targets] == ["local"]


def test_a_class_in_a_module_beside_the_rig_file_is_taken(tmp_path: Path) -> None:
    (tmp_path / "beside_rig_runtime.py").write_text(
        "from edgerig.runtimes.litert import LiteRt\nclass Mine(LiteRt):\n    name = 'mine'\n"
    )
    data = {"model": "mnist-cnn", "dataset": "mnist", "matrix": {"runtimes": ["beside_rig_runtime:Mine"]}}
    assert parse_rig(Document(data, "rig.yaml", tmp_path)).matrix[0].runtimes[0].use == "beside_rig_runtime:Mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "beside_rig_runtime.py").write_text("raise RuntimeError('not this one')\n")
    with pytest.raises(SpecError, match="is ambiguous"):
        parse_rig(Document(data, "rig.yaml", other))


@pytest.mark.slow
def test_the_rig_in_a_bundle_finds_the_classes_that_lay_beside_the_first(tmp_path: Path) -> None:
    """The folders that it names are neither those of installed modules nor of addresses that look like a class."""
    beside, bundle = tmp_path / "beside", tmp_path / "bundle"
    beside.mkdir()
    bundle.mkdir()
    module = beside / "left_beside.py"
    module.write_text("from edgerig.runtimes.litert import LiteRt\nclass Mine(LiteRt):\n    name = 'mine'\n")
    runtimes = ["left_beside:Mine", "edgerig.testing.faults:Faulty"]
    data = {
        "model": "mnist-cnn",
        "dataset": "mnist",
        "matrix": {"compilers": ["float32"], "runtimes": runtimes, "targets": ["local"]},
    }
    text = rig_to_yaml(parse_rig(Document(data, "rig.yaml", beside)))
    assert yaml.safe_load(text)["plugin_folders"] == [str(beside)]
    (bundle / "rig.yaml").write_text(text)

    def dry_run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgerig", "run", str(bundle / "rig.yaml"), "--dry-run", "--only", "*Mine*"]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    ran = dry_run()
    assert ran.returncode == 0, ran.stderr
    assert "left_beside:Mine" in ran.stderr
    module.unlink()
    ran = dry_run()
    assert ran.returncode == 2
    assert "Cannot import 'left_beside:Mine': No module named 'left_beside'" in ran.stderr
    assert "plugin_folders" in ran.stderr
    shutil.rmtree(beside)
    assert f"plugin_folders.0: there is no folder {beside}" in dry_run().stderr


@pytest.mark.parametrize("folders", [5, [5], {"a": "b"}])
def test_plugin_folders_that_are_none_are_a_problem(folders: Any, tmp_path: Path) -> None:
    data = {"model": "mnist-cnn", "dataset": "mnist", "plugin_folders": folders}
    with pytest.raises(SpecError, match="plugin_folders: must be a folder"):
        parse_rig(Document(data, "rig.yaml", tmp_path))


@pytest.mark.parametrize("text", ["1/0", "def", "import no_such_module", "raise SystemError('x')"])
def test_a_plugin_that_cannot_be_imported_is_a_mistake_of_the_rig(tmp_path: Path, text: str) -> None:
    module = f"broken_{abs(hash(text))}"
    (tmp_path / f"{module}.py").write_text(text)
    data = {"model": "mnist-cnn", "dataset": "mnist", "matrix": {"runtimes": [f"{module}:Mine"]}}
    with pytest.raises(SpecError, match=f"Cannot import '{module}:Mine'"):
        parse_rig(Document(data, "rig.yaml", tmp_path))


def test_limits_of_a_gate_are_read_and_each_wrong_one_is_told(tmp_path: Path) -> None:
    net = tmp_path / "net.tflite"
    net.write_bytes(b"")
    rig = {"model": {"file": str(net)}, "dataset": "mnist"}
    assert parse_rig(Document(rig, "r", tmp_path)).gate is None
    gate = {"latency": "5 %", "ram": 0, "budgets": ["latency < 20 ms"]}
    found = parse_rig(Document(rig | {"gate": gate}, "r", tmp_path)).gate
    assert found is not None
    assert [limit.kind for limit in found] == ["relative", "absolute", "budget"]
    again = rig_to_yaml(parse_rig(Document(rig | {"gate": gate}, "r", tmp_path)))
    assert set(parse_rig(Document(yaml.safe_load(again), "r", tmp_path)).gate or ()) == set(found)
    with pytest.raises(SpecError) as caught:
        parse_rig(Document(rig | {"gate": {"latncy": "5 %", "flash": "much"}}, "r", tmp_path))
    assert "has 2 problems" in str(caught.value)
    assert "Did you mean 'latency'?" in str(caught.value)


def test_what_is_wrong_with_values_that_are_no_file_is_told_without_a_name() -> None:
    """A command's options, or a dict: there is no file to name, and no line in it."""
    with pytest.raises(SpecError) as caught:
        edgerig.run({"model": "mnist-cnn", "dataset": {"use": "mnist", "foo": 3}, "matrix": [{"runtimes": ["litert"]}]})
    assert caught.value.message.startswith("dataset.foo: Unknown setting of dataset 'mnist': 'foo'.")
    with pytest.raises(SpecError) as caught:
        edgerig.run({"model": "nope", "dataset": "nonsuch", "matrix": [{"runtimes": ["litert"]}]})
    assert caught.value.message.count("the rig") == 1
    assert caught.value.message.startswith("the rig has 2 problems:\n  - ")
