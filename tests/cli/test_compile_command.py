"""``edgerig compile``: files, the size table, one JSON document, one clear message."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests.command_line import Call, edgerig

from edgerig.artifact import Artifact, Preprocessing
from edgerig.bounded.worker import Worker
from edgerig.datasets.base import Dataset, Samples
from edgerig.testing.networks import dense_tflite
from edgerig.testing.networks.endless import doubling_branches, endless_while
from edgerig.testing.networks.tflite_builder import TfliteBuilder

FEATURES, CLASSES = 64, 10


class Rows(Samples):
    def __init__(self, rows: Any, labels: Any) -> None:
        self.rows, self.labels, self.fingerprint = rows, labels, "f" * 64

    def raw(self, index: int) -> Any:
        return self.rows[index]

    def inputs(self, indices: Any, preprocessing: Preprocessing) -> Any:
        return self.rows[indices] * np.float32(preprocessing.scale)

    def take(self, indices: Any) -> Samples:
        return Rows(self.rows[indices], self.labels[indices])


class Numbers(Dataset):
    """Rows of random numbers; with ``NaN`` in them where ``root`` is set."""

    name, summary = "numbers", "rows of numbers"
    spoilt = False
    classes = tuple(map(str, range(CLASSES)))
    preprocessing = Preprocessing(scale=0.5)

    def _prepare(self, progress: Any) -> None: ...

    def _split(self, name: str) -> Samples:
        rows = np.random.default_rng(5).normal(size=(100, FEATURES)).astype(np.float32)
        if self.spoilt:
            rows[:, 3] = np.nan
        return Rows(rows, np.arange(100) % CLASSES)


class Spoilt(Numbers):
    spoilt = True


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Runs ``edgerig compile`` in an empty folder: exit code, standard output, standard error."""
    module = types.ModuleType("compile_command_datasets")
    module.Numbers, module.Spoilt = Numbers, Spoilt  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    dense_tflite(Path("net.tflite"), FEATURES, CLASSES)

    def run(*arguments: str) -> tuple[int, str, str]:
        return edgerig(capfd, "compile", *(word.replace("NUMBERS", f"{module.__name__}:Numbers") for word in arguments))

    return run


@pytest.mark.slow
def test_the_call_of_the_guide_makes_int8_and_prints_the_table(call: Call) -> None:
    code, out, err = call("net.tflite", "--to", "int8", "--dataset", "NUMBERS", "--out", "build/")
    assert (code, out) == (0, "")
    artifact = Artifact.load(Path("build/net_int8.tflite.json"))
    assert (artifact.scheme, artifact.preprocessing, artifact.classes) == (
        "int8",
        Numbers.preprocessing,
        Numbers.classes,
    )
    lines = [line.split() for line in err.splitlines()[-3:]]
    size = Path("net.tflite").stat().st_size
    assert lines[0] == ["Size", "(bytes)", "Ratio", "Saving", "%"]
    assert lines[1] == ["original", "(tflite)", str(size), "–", "–"]
    assert lines[2] == [
        "int8",
        str(artifact.size),
        f"{size / artifact.size:.2f}",
        f"{100 - artifact.size / size * 100:.2f}",
    ]


def test_json_is_one_document_on_standard_output(call: Call) -> None:
    code, out, err = call("net.tflite", "--to", "dynamic", "--to", "c-array", "--option", "name=net", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["original"]["path"] == "net.tflite"
    assert [one["compiler"] for one in document["artifacts"]] == ["dynamic", "c-array"]
    assert [row["name"] for row in document["sizes"]] == ["original (tflite)", "size (dynamic)", "c-array"]
    assert document["sizes"][0]["bytes"] == document["sizes"][2]["bytes"] == Path("net.tflite").stat().st_size
    assert document["failures"] == []
    for one in document["artifacts"]:
        assert Path(one["path"]).is_file()
        assert Artifact.load(Path(one["description"])).sha256 == one["artifact"]["sha256"]
    assert "Saving %" in err


def test_chains_are_called_by_their_compilers(call: Call) -> None:
    code, out, err = call("net.tflite", "--to", "int8+c-array", "--to", "int8", "--dataset", "NUMBERS", "--json")
    assert code == 0, err
    made = {one["compiler"]: one for one in json.loads(out)["artifacts"]}
    assert list(made) == ["int8", "int8+c-array"]
    assert made["int8+c-array"]["path"] == "build/net_int8.h"
    assert made["int8+c-array"]["bytes"] == made["int8"]["bytes"]
    code, _, err = call("net.tflite", "--to", "int8+float16", "--dataset", "NUMBERS")
    assert code == 2
    assert "float16 cannot follow int8" in err
    assert "after int8 may come c, c-array" in " ".join(err.split())


def test_all_makes_the_whole_table(call: Call) -> None:
    code, _, err = call("net.tflite", "--to", "all", "--dataset", "NUMBERS")
    assert code == 0
    assert "left out float32: net.tflite is that already." in err
    for name in ("size (dynamic)", "float16", "int8", "int16x8", "c-array"):
        assert f"\n{name} " in err


def test_options_reach_the_compiler(call: Call) -> None:
    types_ = ["--option", "input_type=uint8", "--option", "int8.output_type=float32"]
    code, _, _ = call("net.tflite", "--to", "int8", "--dataset", "NUMBERS", *types_)
    artifact = Artifact.load(Path("build/net_int8.tflite.json"))
    assert (code, artifact.inputs[0].dtype, artifact.outputs[0].dtype) == (0, "uint8", "float32")


@pytest.mark.parametrize(
    ("arguments", "expected_code", "texts"),
    [
        (["net.tflite"], 2, ["--to"]),
        (["none.tflite", "--to", "float16"], 2, ["none.tflite"]),
        (["net.txt", "--to", "float16"], 2, ["There is no file net.txt"]),
        (["net.tflite", "--to", "cc"], 2, ["Unknown compiler 'cc'", "c-array"]),
        (["net.tflite", "--to", "int9", "--dataset", "NUMBERS"], 2, ["Did you mean 'int8'"]),
        (["net.tflite", "--to", "int8"], 2, ["no dataset", "--dataset mnist"]),
        (["net.tflite", "--to", "float16", "--task", "regression"], 2, ["--task go with --dataset"]),
        (["net.tflite", "--to", "int8", "--dataset", "NUMBERS", "--task", "regresion"], 2, ["Unknown task"]),
        (["net.tflite", "--to", "int8", "--dataset", "mnisst"], 2, ["Unknown dataset", "mnist"]),
        (["net.tflite", "--to", "int8", "--dataset", "NUMBERS", "--option", "x"], 2, ["key=value"]),
        (["net.tflite", "--to", "int8", "--dataset", "NUMBERS", "--option", "input_typ=int8"], 2, ["'input_type'"]),
        (["net.tflite", "--to", "int8", "--dataset", "NUMBERS", "--option", "input_type=int4"], 2, ["int4"]),
        (["net.tflite", "--to", "float16", "--dataset-root", "x"], 2, ["--dataset"]),
        (["net.tflite", "--to", "float16", "--out", "net.tflite"], 2, ["net.tflite"]),
    ],
)
def test_mistakes_get_one_message(call: Call, arguments: list[str], expected_code: int, texts: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (expected_code, "")
    assert "Traceback" not in err
    for text in texts:
        assert text in err
    assert sorted(path.name for path in Path().iterdir()) == ["net.tflite"]


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x1c\0\0\0TFL3" + b"\xff" * 200])
def test_a_corrupt_file_is_told(call: Call, content: bytes) -> None:
    Path("bad.tflite").write_bytes(content)
    code, out, err = call("bad.tflite", "--to", "float16")
    assert (code, out) == (2, "")
    assert "bad.tflite" in err
    assert not Path("build").exists()


def test_a_truncated_file_is_told(call: Call) -> None:
    data = Path("net.tflite").read_bytes()
    Path("cut.tflite").write_bytes(data[: len(data) // 2])
    code, _, err = call("cut.tflite", "--to", "int8", "--dataset", "NUMBERS")
    assert (code, Path("build").exists()) == (2, False)
    assert "cut.tflite" in err


def test_nan_in_calibration_data_names_the_sample(call: Call) -> None:
    code, _, err = call("net.tflite", "--to", "int8", "--dataset", "compile_command_datasets:Spoilt")
    assert code == 1
    assert "Calibration sample" in err
    assert "nan" in err
    assert not Path("build").exists()


def test_a_quantized_file_is_refused(call: Call) -> None:
    call("net.tflite", "--to", "int8", "--dataset", "NUMBERS")
    code, _, err = call("build/net_int8.tflite", "--to", "dynamic")
    assert code == 2
    assert "int8 already" in err


def test_what_was_finished_is_kept_when_one_fails(call: Call) -> None:
    """A network without weights cannot have its weights quantized."""
    net = TfliteBuilder()
    x, y = net.tensor("x", (1, 4), "float32"), net.tensor("y", (1, 4), "float32")
    net.operator("ABS", [x], [y], "AbsOptions")
    Path("bare.tflite").write_bytes(net.build([x], [y]))
    code, out, err = call("bare.tflite", "--to", "dynamic", "--to", "c-array", "--json")
    assert code == 1
    assert [failure["compiler"] for failure in json.loads(out)["failures"]] == ["dynamic"]
    assert "bare_dynamic.tflite should be dynamic and is float32" in err
    assert "operator that can be quantized" in err
    assert Path("build/bare.h").is_file()


def test_random_samples_have_the_network_s_shape_and_calibration_on_noise_is_said(call: Call) -> None:
    code, _, err = call("net.tflite", "--to", "int8", "--dataset", "random")
    assert (code, "whose numbers mean nothing" in err) == (0, True), err
    # A shape that is given stands, and where nothing is calibrated nobody asks what samples would be.
    code, _, err = call("net.tflite", "--to", "int8", "--dataset", "random", "--dataset-option", "shape=[3]")
    assert (code, "gives samples of shape [3]" in err) == (2, True), err
    assert call("net.tflite", "--to", "float16", "--dataset", "random")[0] == 0
    assert "mean nothing" not in call("net.tflite", "--to", "int8", "--dataset", "NUMBERS")[2]


ENDLESS = {"while": endless_while, "branches": doubling_branches}
RANDOM = ("--dataset", "random", "--dataset-option", "shape=[4]", "--option", "calibration_samples=2")


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_a_network_without_an_end_is_given_up(name: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERIG_STAGE_TIMEOUT", "2")
    Path(f"{name}.tflite").write_bytes(ENDLESS[name]())
    code, out, err = call(f"{name}.tflite", "--to", "int8", *RANDOM)
    assert (code, out) == (1, "")
    assert f"Compiling {name}.tflite to int8 was given up: it told no progress for 2 s." in err
    assert "EDGERIG_STAGE_TIMEOUT" in err
    assert not Path("build").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_ends_a_network_without_an_end_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "endless.tflite").write_bytes(endless_while())
    # Where tests run in the background, Ctrl-C is ignored, and children inherit that.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from edgerig.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "compile", "endless.tflite", "--to", "int8", *RANDOM]
    program = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    child = _busy_child(program.pid)
    program.send_signal(number)
    _, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Stopped" in err
    assert not child.is_running()
    assert not (tmp_path / "build").exists()


def _busy_child(parent: int) -> psutil.Process:
    """The child of a process, once it has computed for some seconds."""
    while True:
        for child in psutil.Process(parent).children():
            times = child.cpu_times()
            if times.user + times.system > 2:
                return child
        time.sleep(0.05)


def test_ctrl_c_leaves_jax_where_it_is(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: Any) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Worker, "call", stop)
    # Ended at once with JAX in it is the command's own process alone, not one that calls the command.
    monkeypatch.setitem(sys.modules, "jax", types.ModuleType("jax"))
    code, out, err = call("net.tflite", "--to", "dynamic")
    assert (code, out) == (130, "")
    assert "Stopped" in err
    assert not Path("build").exists()
