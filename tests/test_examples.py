"""The examples and the README's commands, run as a newcomer would."""

import functools
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.needs import need_module
from tests.xla import QUICK_TO_TRAIN

from edgerig.plugin_names import NOUNS, group_of

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def shell(command: str, folder: Path, timeout: float = 280, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of the README, in ``folder``, with this environment's ``edgerig`` first on the path."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **variables}
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout, check=False
    )


def commands_of(readme: Path, program: str = "edgerig") -> list[str]:
    """The ``program`` lines in the code blocks of a page, comments cut off."""
    blocks = re.findall(r"```\w*\n(.*?)```", readme.read_text(), re.DOTALL)
    joined = [block.replace("\\\n", " ") for block in blocks]
    lines = [line.split("#")[0].strip() for block in joined for line in block.splitlines()]
    return [line for line in lines if line.startswith(program + " ")]


GROUPS = {group_of(noun) for noun in NOUNS}
RIG_COMMANDS = commands_of(ROOT / "examples" / "mnist" / "README.md")


#: Not the changelog, which names what is no more.
PAGES = pytest.mark.parametrize(
    "page",
    sorted(
        [
            *set(ROOT.glob("*.md")) - {ROOT / "CHANGELOG.md"},
            *ROOT.glob("docs/**/*.md"),
            *ROOT.glob("examples/*/README.md"),
        ]
    ),
    ids=lambda p: str(p.relative_to(ROOT)),
)


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in RIG_COMMANDS if " run " in c])
def test_the_examples_commands_make_a_plan(command: str) -> None:
    done = shell(command.split(" --dry-run")[0] + " --dry-run", ROOT)
    assert done.returncode == 0, done.stderr
    assert "litert" in done.stderr


def options_of(command: str) -> list[str]:
    return [word.split("=")[0] for word in shlex.split(command) if word.startswith("--")]


@PAGES
def test_every_module_and_link_of_the_documentation_is_there(page: Path) -> None:
    # A group of entry points looks like a module, and need not be one (`GROUPS`).
    text = re.sub(r'entry-points\."edgerig\.\w+"', "", page.read_text())
    for name in sorted(set(re.findall(r"\bedgerig(?:\.[a-z_0-9]+)+(?:\.[A-Z]\w+)?", text))):
        # Names of files look like modules, too.
        if not name.endswith((".sock", ".fish")) and name not in GROUPS:
            pkgutil.resolve_name(name)
    for statement in re.findall(r"^(?:from|import) edgerig.*$", text, re.MULTILINE):
        exec(compile(statement, page.name, "exec"), {})
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    # What the table of a compiler's stages names lies in that package.
    for line in re.findall(r"^\w+ {3,}.* {3,}([\w/*.]+(?:, [\w/*.]+)*)$", text, re.MULTILINE):
        for path in line.split(", "):
            if "/" in path or path.endswith(".py"):
                assert list((ROOT / "src" / "edgerig" / "micro").glob(path)), path


@functools.cache
def help_of(*path: str) -> str:
    """What ``--help`` of a command prints."""
    from click.testing import CliRunner

    from edgerig.cli import cli

    return CliRunner().invoke(cli, [*path, "--help"], terminal_width=200).output


@PAGES
def test_every_command_in_the_documentation_exists_with_its_options(page: Path) -> None:
    from edgerig.cli import COMMANDS

    for command in commands_of(page):
        words = shlex.split(command)
        assert words[1] in COMMANDS or words[1].startswith("--"), command
        if words[1] in COMMANDS:
            text = "".join(
                help_of(*path)
                # Of a group of commands, such as `firmware build`, those of the second word as well.
                for path in (words[1:2], words[1:3])
                if len(path) == 1 or re.fullmatch(r"\w+", path[-1])
            )
            for option in options_of(command):
                assert option in text, command


@pytest.mark.slow
def test_the_readme_can_be_followed_step_by_step(tmp_path: Path) -> None:
    """The commands from train to bench, with less training than the README's."""
    steps = [
        "edgerig train mnist-cnn --dataset mnist --epochs 1 --train-samples 1000 --out runs/train",
        "edgerig compile runs/train/mnist-cnn.keras --to float32 --to int8 --dataset mnist --out build/",
        "edgerig compile build/mnist-cnn.tflite --to c-array --out build/",
        "edgerig compile build/mnist-cnn.tflite --to onnx --to onnx-int8 --dataset mnist --out build/",
        "edgerig inspect build/mnist-cnn.tflite",
        "edgerig bench build/mnist-cnn_int8.tflite --dataset mnist --samples 100 --seconds 0"
        " --reference build/mnist-cnn.tflite --out runs/b1 --json > b1.json",
        "edgerig bench build/mnist-cnn_onnx_int8.onnx --dataset mnist --samples 100 --seconds 0 --out runs/b2",
        "edgerig report runs/b1 runs/b2 --out report.html",
    ]
    for step in steps:
        done = shell(step, tmp_path)
        assert done.returncode == 0, f"{step}\n{done.stderr}"
        assert "Traceback" not in done.stderr
    result = json.loads((tmp_path / "b1.json").read_text())
    assert result == json.loads((tmp_path / "runs/b1/results.json").read_text())
    assert result["cells"][0]["agreement"]["same_class"] > 0.9
    assert (tmp_path / "report.html").stat().st_size < 2_500_000


@pytest.mark.slow
def test_the_example_rig_runs_whole(tmp_path: Path) -> None:
    """What `make demo` does, on fewer samples: twelve cells, an agent of its own, every number with its kind."""
    rig = ROOT / "examples" / "mnist" / "rig.yaml"
    less = "--rounds 2 --set measure.samples=300 --set measure.seconds=0 --set matrix.4.samples=200"
    # A port of this test's own, so that an agent that runs here for other reasons is left alone.
    less += " --set 'matrix.3.targets.0.use=tcp://127.0.0.1:17433'"
    done = shell(f"edgerig run {rig} --out demo {less} --json > demo.json", tmp_path, XLA_FLAGS=QUICK_TO_TRAIN)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "demo.json").read_text())
    cells = {cell["id"]: cell for cell in result["cells"]}
    assert len(cells) == 12
    assert not result["failures"]
    board = cells["int8-micro-sim-stm32f746"]
    assert all(len(cell["rounds"]) == (1 if cell is board else 2) for cell in cells.values())
    assert "same in every round" in board["repetition"]["reason"]
    assert all(
        cell["latency"]["steady"]["bounds"] == ("model" if cell is board else "interval") for cell in cells.values()
    )
    for cell in cells.values():
        assert cell["latency"]["steady"]["kind"] == ("modelled" if cell is board else "measured")
        assert cell["quality"]["metrics"][0]["value"] > 0.8
        assert cell["agreement"]["same_class"] > 0.85
        assert cell is board or cell["memory"]["peak_rss"]["value"] > 1e6
        for layer in cell["layers"] if isinstance(cell["layers"], list) else []:
            assert {"is", "unit", "value", "kind", "method"} <= layer["time"].keys() or layer["time"]["reason"]
    assert (
        cells["int8-tflm-local"]["memory"]["arena"]["value"] < cells["float32-tflm-local"]["memory"]["arena"]["value"]
    )
    assert cells["int8-litert-local"]["artifact"]["scheme"] == "int8"
    assert cells["onnx-int8-onnxruntime-local"]["runtime"] == "onnxruntime"
    assert board["instructions"]["kind"] == "emulated"
    assert 3e5 < sum(layer["instructions"]["value"] for layer in board["layers"]) < 1e6
    assert board["measured_samples"] == 200
    over_tcp = [cell for cell in cells.values() if cell["target"].startswith("tcp://")]
    assert {cell["target"] for cell in over_tcp} == {"tcp://127.0.0.1:17433"}
    assert (tmp_path / "demo" / "report.html").stat().st_size < 2_500_000
    layers = json.loads(shell("edgerig layers demo --json", tmp_path).stdout)
    by_name = {row["name"]: row for row in layers["rows"]}
    assert [by_name[name]["macs"] for name in ("conv", "depthwise1", "pointwise1")] == [14_112, 14_112, 25_088]
    assert by_name["conv"]["cells"][-1]["instructions"]["kind"] == "emulated"
    again = shell(f"edgerig run {rig} --out demo {less} --dry-run --json", tmp_path)
    assert len(json.loads(again.stdout)["cells"]) == 12


@pytest.mark.slow
def test_the_anomaly_example_runs_whole(tmp_path: Path) -> None:
    """As its page has it, with less time a cell. Its figures are those of scikit-learn on the scores that were kept."""
    import numpy as np
    from sklearn import metrics

    run = next(c for c in commands_of(ROOT / "examples" / "anomaly" / "README.md") if " run " in c)
    less = " --rounds 1 --set measure.seconds=0 --set matrix.3.samples=300 --json > result.json"
    done = shell(run.replace("examples/", f"{ROOT}/examples/") + less, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "autoencoder, trained 60 epochs" in done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    cells = {cell["id"]: cell for cell in result["cells"]}
    assert len(cells) == 5
    assert not result["failures"]
    notes = {cell["quality"]["views"][0]["note"] for cell in cells.values()}
    assert len(notes) == 1
    (note,) = notes
    assert "among 1,500 validation samples" in note
    threshold, aucs = float(note.split()[1].rstrip(":")), {}
    for name, cell in cells.items():
        arrays = np.load(tmp_path / "runs" / "anomaly" / "cells" / name / "samples.npz")
        scores, labels = arrays["kept_anomaly"], arrays["kept_anomalous"]
        named = {metric["name"]: metric["value"] for metric in cell["quality"]["metrics"]}
        aucs[name] = named["auc"]
        wanted = {
            "auc": metrics.roc_auc_score(labels, scores),
            "partial_auc": metrics.roc_auc_score(labels, scores, max_fpr=0.1),
            "precision": metrics.precision_score(labels, scores >= threshold),
            "recall": metrics.recall_score(labels, scores >= threshold),
            "f1": metrics.f1_score(labels, scores >= threshold),
        }
        assert named == pytest.approx(wanted, abs=1e-9), name
        assert cell["agreement"]["same_class"] > 0.99
    assert aucs["float32-litert-local"] > 0.99
    assert aucs["int8-litert-local"] == pytest.approx(aucs["float32-litert-local"], abs=0.002)
    assert aucs["int8-micro-local"] == pytest.approx(aucs["int8-litert-local"], abs=1e-3)


@pytest.mark.slow
def test_the_detection_example_runs_whole(tmp_path: Path) -> None:
    """As its page has it, with less training and on fewer samples. Its figures are COCO's tools' on the boxes kept."""
    import numpy as np
    from faster_coco_eval import COCO, COCOeval_faster

    run = next(c for c in commands_of(ROOT / "examples" / "detection" / "README.md") if " run " in c)
    less = " --rounds 1 --set measure.seconds=0 --set measure.samples=200 --set model.train.epochs=4"
    less += " --set dataset.validation=100 --json > result.json"
    done = shell(run.replace("examples/", f"{ROOT}/examples/") + less, tmp_path, XLA_FLAGS=QUICK_TO_TRAIN)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    cells = {cell["id"]: cell for cell in result["cells"]}
    assert len(cells) == 6
    assert not result["failures"]
    precision = {}
    for name, cell in cells.items():
        arrays = np.load(tmp_path / "runs" / "detection" / "cells" / name / "samples.npz")
        objects, detections = arrays["kept_objects"], arrays["kept_detections"].astype(np.float64)
        assert detections.shape == (200, 100, 6)
        annotations = [
            {"image_id": 1 + i, "category_id": 1 + int(row[4]), "bbox": row[:4].tolist(), "iscrowd": 0, "area": row[6]}
            for i, image in enumerate(objects)
            for row in image[image[:, 7] > 0]
        ]
        truth = COCO(
            {
                "images": [{"id": 1 + i, "width": 64, "height": 64} for i in range(200)],
                "categories": [{"id": 1 + i, "name": str(i)} for i in range(10)],
                "annotations": [{"id": 1 + i, **annotation} for i, annotation in enumerate(annotations)],
            }
        )
        answers = [
            {"image_id": 1 + i, "category_id": 1 + int(row[5]), "bbox": row[:4].tolist(), "score": row[4]}
            for i, image in enumerate(detections)
            for row in image[image[:, 5] >= 0]
        ]
        coco = COCOeval_faster(truth, truth.loadRes(answers), "bbox", print_function=lambda *_: None)
        coco.evaluate()
        coco.accumulate()
        coco.summarize()
        named = {metric["name"]: metric["value"] for metric in cell["quality"]["metrics"]}
        assert [named["map"], named["map_50"], named["map_75"]] == pytest.approx(list(coco.stats[:3]), abs=1e-9), name
        assert "decoding" in cell["latency"]["postprocessing"]["method"]
        assert [view["view"] for view in cell["quality"]["views"]] == ["table", "table", "curve", "gallery"]
        precision[name] = named["map"]
        assert cell["agreement"]["same_class"] > 0.95
    assert precision["float32-litert-local"] > 0.3
    assert precision["float32-micro-local"] == pytest.approx(precision["float32-litert-local"], abs=1e-3)
    assert precision["int8-litert-local"] == pytest.approx(precision["float32-litert-local"], abs=0.03)
    assert precision["int8-micro-local"] == pytest.approx(precision["int8-litert-local"], abs=0.01)
    assert precision["onnx-int8-onnxruntime-local"] == pytest.approx(precision["float32-litert-local"], abs=0.03)
    assert (tmp_path / "runs" / "detection" / "report.html").stat().st_size < 2_500_000


@pytest.mark.slow
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path) -> None:
    done = shell(f"{sys.executable} {ROOT / 'examples' / 'mnist' / 'tutorial.py'} {tmp_path}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mnist-cnn_int8-litert-local: accuracy" in done.stdout
    assert (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / "examples" / "mnist" / "tutorial.ipynb", as_version=4)
    (measuring,) = (cell for cell in notebook.cells if '"samples": 200}' in cell.source)
    # As often as it says the tutorial measures, which is the same.
    measuring.source = measuring.source.replace('"samples": 200}', '"samples": 200, "rounds": 1}')
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = json.dumps(notebook)
    assert "mnist-cnn_int8-litert-local: accuracy" in text
    assert (tmp_path / "runs" / "tutorial" / "report.html").exists()


@pytest.mark.slow
def test_the_notebook_of_digits_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """Its drawn digits are the same to the host, to a server in FlatBuffers and to a simulated board over its UART.

    With less training, as the commands of the same example.
    """
    import nbformat
    from nbclient import NotebookClient

    need_module("anywidget", "anywidget")
    example = ROOT / "examples" / "digits"
    shutil.copy(example / "strokes.json", tmp_path)
    notebook = nbformat.read(example / "tutorial.ipynb", as_version=4)
    (training,) = (cell for cell in notebook.cells if "TrainSettings(epochs=2)" in cell.source)
    training.source = training.source.replace("epochs=2", "epochs=1, train_samples=3000")
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    text = json.dumps(notebook)
    assert "10 of 10 digits have the same answer on host, server and board" in text
    for device in ("host", "server", "board"):
        assert f"the {device} says of the 7: 7" in text
    assert {path.suffix for path in (tmp_path / "runs/digits").glob("seven.*")} == {".txt", ".png", ".h"}


@pytest.mark.slow
def test_the_digits_example_can_be_followed_step_by_step(tmp_path: Path) -> None:
    """The commands of its page, on a port of their own, with less training; the window needs a screen and a user."""
    commands = commands_of(ROOT / "examples" / "digits" / "README.md")
    serving: subprocess.Popen[str] | None = None
    shutil.copytree(ROOT / "examples" / "digits", tmp_path / "examples" / "digits")
    try:
        for command in commands:
            words = command.replace("32001", "32751").replace("--epochs 2", "--epochs 1 --train-samples 3000")
            if " digits draw" in words or " serve build" in words:
                continue
            if " digits serve" in words:
                serving = subprocess.Popen(
                    [str(BIN / "edgerig"), *shlex.split(words)[1:]], cwd=tmp_path, stdout=subprocess.PIPE, text=True
                )
                assert serving.stdout is not None
                assert serving.stdout.readline().startswith("listening on 127.0.0.1:32751")
                continue
            done = shell(words, tmp_path)
            assert done.returncode == 0, f"{words}\n{done.stderr}"
            if " digits ask" in words:
                assert "Digit: 7" in done.stdout
            if " stress" in words:
                assert json.loads(done.stdout)["good"] == 500
    finally:
        if serving is not None:
            serving.terminate()
            serving.communicate()
    assert serving is not None


@pytest.mark.slow
def test_the_mlperf_tiny_example_ends_in_one_table(tmp_path: Path) -> None:
    """Of its five benchmarks the two that are trained quickest, each on this machine and on the simulated board."""
    rig = ROOT / "examples" / "mlperf-tiny" / "rig.yaml"
    less = "--rounds 1 --set measure.seconds=0 --set dataset.seeded=6"
    less += " --set parts.ad01.model.train.epochs=2 --set parts.sww01.model.train.epochs=2"
    done = shell(f"edgerig run {rig} --only ad01 --only sww01 {less} --out runs/tiny", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "runs/tiny/mlperf-tiny.json").read_text())["rows"]
    assert [(row["benchmark"], row["cell"].split("-")[-1]) for row in rows] == [
        ("ad01", "local"),
        ("ad01", "stm32f746"),
        ("sww01", "local"),
        ("sww01", "stm32f746"),
    ]
    for row in rows:
        assert row["quality"]
        assert row["macs_per_second"] > 0
        assert (row["instructions"] is None) == row["cell"].endswith("local")
    assert "Samples made from a seed" in (tmp_path / "runs/tiny/mlperf-tiny.md").read_text()
