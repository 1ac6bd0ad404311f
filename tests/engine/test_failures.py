"""Whatever goes wrong with one cell costs that cell alone, and is told in the bundle, the report and the exit code."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import edgerig
from edgerig.compilers.base import ModelCompiler
from edgerig.compilers.quantize import Float16
from edgerig.datasets.base import Dataset
from edgerig.errors import CompileError, InferenceError, Interrupted, TargetError
from edgerig.plugins import make
from edgerig.report import load_bundle
from edgerig.results.bundle import Bundle
from edgerig.runtimes.litert import LiteRt
from edgerig.targets.local import Local
from edgerig.tasks.classification import judge_quality

SAMPLES = 20


def rig(net: Path, **changes: Any) -> dict[str, Any]:
    measure = {
        "samples": SAMPLES,
        "warmup": 0,
        "rounds": 1,
        "seconds": 0,
        "profile": False,
        "transport_samples": 0,
        "patience": 0,
    }
    data = {"name": "t", "model": {"file": str(net)}, "dataset": "mnist", "measure": measure}
    return data | {"matrix": [{"runtimes": ["litert"]}]} | changes


class Harmful(Local):
    """A device whose answers no code expects."""

    name: ClassVar[str] = "harmful"
    error: ClassVar[BaseException] = ValueError("a value that nobody expected")

    def open(self, *_: Any, **__: Any) -> Any:
        raise self.error


class Exits(Harmful):
    error: ClassVar[BaseException] = SystemExit(3)


class Recurses(Harmful):
    error: ClassVar[BaseException] = RecursionError("so deep")


class Stops(Harmful):
    error: ClassVar[BaseException] = KeyboardInterrupt()


class CannotClose(Local):
    name: ClassVar[str] = "cannot-close"

    def close(self) -> None:
        super().close()
        raise RuntimeError("the door is stuck")


class CannotSay(Local):
    name: ClassVar[str] = "cannot-say"

    def check(self) -> Any:
        raise KeyError("cpu")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["Harmful", "Exits", "Recurses"])
def test_an_unexpected_error_of_one_device_ends_its_cells_alone(digit_net: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / "out"
    matrix = [{"runtimes": ["litert"], "targets": [{"use": f"{__name__}:{target}", "name": "bad"}, "local"]}]
    with pytest.raises(InferenceError, match="1 of 2 cells could not be measured") as caught:
        edgerig.run(rig(digit_net, matrix=matrix), out=out)
    assert caught.value.bundle == str(out)
    result = Bundle(out).result()
    assert [cell.id for cell in result.cells] == ["digits-litert-local"]
    (failure,) = result.failures
    assert failure.id == "digits-litert-bad"
    assert failure.message.startswith("Unexpected ")
    assert "test_failures.py" in (Bundle(out).cell(failure.id) / "traceback.txt").read_text()
    for name in ("report.html", "report.md", "report.json"):
        assert "digits-litert-bad" in (out / name).read_text(), name


@pytest.mark.slow
def test_ctrl_c_stops_at_once(digit_net: Path, tmp_path: Path) -> None:
    matrix = [{"runtimes": ["litert"], "targets": ["local", {"use": f"{__name__}:Stops", "name": "bad"}]}]
    with pytest.raises(Interrupted, match="1 of 2 cells are finished"):
        edgerig.run(rig(digit_net, matrix=matrix), out=tmp_path / "out")


@pytest.mark.slow
def test_a_device_that_does_not_close_costs_nothing_that_was_measured(
    digit_net: Path, tmp_path: Path, heard: Any
) -> None:
    matrix = [{"runtimes": ["litert"], "targets": [f"{__name__}:CannotClose"]}]
    result = edgerig.run(rig(digit_net, matrix=matrix), out=tmp_path / "out", progress=heard)
    assert len(result.cells) == 1
    assert any("the door is stuck" in line for line in heard.lines)


@pytest.mark.slow
def test_a_device_whose_state_cannot_be_understood_is_named(digit_net: Path, tmp_path: Path) -> None:
    matrix = [{"runtimes": ["litert"], "targets": [f"{__name__}:CannotSay"]}]
    with pytest.raises(TargetError, match=r"CannotSay cannot be asked for its state: unexpected KeyError"):
        edgerig.run(rig(digit_net, matrix=matrix), out=tmp_path / "out")


def test_if_all_cells_fail_there_is_a_report_all_the_same(digit_net: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    matrix = [{"runtimes": ["litert"], "targets": [{"use": f"{__name__}:Harmful", "name": "bad"}]}]
    with pytest.raises(InferenceError, match="1 of 1 cells"):
        edgerig.run(rig(digit_net, matrix=matrix), out=out)
    for name in ("report.html", "report.md", "report.json"):
        assert "nobody expected" in (out / name).read_text(), name


class Refuses(Float16):
    name: ClassVar[str] = "refuses"

    def _compile(self, *_: Any, **__: Any) -> bytes:
        raise CompileError("this one never works")


@pytest.mark.slow
def test_a_compiler_that_fails_costs_its_own_cells(digit_net: Path, tmp_path: Path) -> None:
    assert issubclass(Refuses, ModelCompiler)
    matrix = [{"compilers": [{"use": f"{__name__}:Refuses", "name": "bad"}, "none"], "runtimes": ["litert"]}]
    with pytest.raises(CompileError, match="this one never works"):
        edgerig.run(rig(digit_net, matrix=matrix), out=tmp_path / "out")
    assert [cell.id for cell in Bundle(tmp_path / "out").result().cells] == ["digits-litert-local"]
    alone = [{**matrix[0], "compilers": matrix[0]["compilers"][:1]}]
    with pytest.raises(CompileError, match="this one never works"):
        edgerig.run(rig(digit_net, matrix=alone), out=tmp_path / "alone")
    assert not (tmp_path / "alone").exists()


class Endless(LiteRt):
    """Gives NaN for every third sample, infinity for the next."""

    name: ClassVar[str] = "endless"

    def run(self, *args: Any, **kwargs: Any) -> Any:
        result = super().run(*args, **kwargs)
        scores = result.outputs[0]
        scores.reshape(len(scores), -1)[::3, 0] = math.nan
        scores.reshape(len(scores), -1)[1::3, 0] = math.inf
        return result


@pytest.mark.slow
def test_outputs_that_are_no_numbers_cost_no_other_cell_and_no_file_holds_them(digit_net: Path, tmp_path: Path) -> None:
    matrix = [{"runtimes": [{"use": f"{__name__}:Endless", "name": "endless"}, "litert"]}]
    with pytest.raises(InferenceError, match="inf or NaN"):
        edgerig.run(rig(digit_net, matrix=matrix), out=tmp_path / "out")
    (good,) = Bundle(tmp_path / "out").result().cells
    assert good.id == "digits-litert-local"
    assert good.quality.metrics
    for path in (tmp_path / "out").rglob("*.json"):
        json.loads(path.read_text(), parse_constant=pytest.fail)
    load_bundle(tmp_path / "out")


def test_nan_predicts_no_class() -> None:
    scores = np.array([[0.1, 0.9], [math.nan, 0.2], [0.8, 0.2]], np.float32)
    mnist = make("dataset", "mnist", Dataset)
    padded = np.pad(scores, ((0, 0), (0, 8)))
    quality = judge_quality(mnist.metrics(), mnist.classes, padded, np.array([1, 0, 0]))
    assert not quality.metrics
    assert not quality.confusion
    assert any("not finite" in text for text in quality.warnings)


@pytest.mark.slow
def test_names_of_cells_stay_in_the_bundle_and_their_samples_are_shown(digit_net: Path, tmp_path: Path) -> None:
    names = ["../../../../PWN", "fp16/v2", "..", "FP", "fp", "a b", "a/b", "x" * 900]
    runtimes = [{"use": "litert", "name": name} for name in names]
    out = tmp_path / "deep" / "runs" / "out"
    result = edgerig.run(rig(digit_net, matrix=[{"runtimes": runtimes}]), out=out)
    assert len(result.cells) == len(names)
    loaded = load_bundle(out)
    assert set(loaded.samples) == {cell.id for cell in result.cells}
    folders = [path.name for path in (out / "cells").iterdir()]
    assert len({name.lower() for name in folders}) == len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["runs"]
    assert [path.name for path in (tmp_path / "deep" / "runs").iterdir()] == ["out"]


@pytest.mark.slow
def test_a_cell_that_cannot_be_read_is_named_and_measured_again(digit_net: Path, tmp_path: Path, heard: Any) -> None:
    out = tmp_path / "out"
    data = rig(digit_net, matrix=[{"runtimes": ["litert", {"use": "litert", "threads": 2}]}])
    first = edgerig.run(data, out=out)
    (out / "results.json").write_text("{")
    (out / "cells" / first.cells[0].id / "result.json").write_text('{"id": null}')
    second = edgerig.run(data, out=out, resume=True, progress=heard)
    assert second.cells[1] == first.cells[1]
    assert second.cells[0].started + str(second.cells[0].seconds) != first.cells[0].started + str(
        first.cells[0].seconds
    )
    assert any("results.json is damaged" in line for line in heard.lines)
    assert any(first.cells[0].id in line and "measured again" in line for line in heard.lines)
    assert Bundle(out).whole() == second


@pytest.mark.slow
def test_lost_raw_samples_are_measured_again(digit_net: Path, tmp_path: Path, heard: Any) -> None:
    out = tmp_path / "out"
    first = edgerig.run(rig(digit_net), out=out)
    (out / "results.json").unlink()
    (out / "cells" / first.cells[0].id / "samples.npz").write_bytes(b"half")
    edgerig.run(rig(digit_net), out=out, resume=True, progress=heard)
    assert any("measured again" in line for line in heard.lines)
    assert len(Bundle(out).samples(first.cells[0].id)["scores"]) == SAMPLES


@pytest.mark.slow
def test_a_run_into_a_link_stays_on_the_disk_that_it_leads_to(digit_net: Path, tmp_path: Path) -> None:
    link = tmp_path / "out"
    (tmp_path / "disk").mkdir()
    link.symlink_to(tmp_path / "disk" / "real")
    first = edgerig.run(rig(digit_net), out=link)
    edgerig.run(rig(digit_net), out=link)
    assert link.is_symlink()
    assert sorted(path.name for path in (tmp_path / "disk").iterdir()) == ["real", "real.1"]
    assert Bundle(tmp_path / "disk" / "real.1").result() == first


@pytest.mark.slow
def test_the_command_leaves_a_report_and_says_by_its_exit_code_that_cells_failed(
    digit_net: Path, tmp_path: Path
) -> None:
    targets = [{"use": "test_failures:Harmful", "name": "bad"}, {"use": "test_failures:Harmful", "name": "worse"}]
    matrix = [{"runtimes": ["litert"], "targets": [*targets, "local"]}]
    (tmp_path / "rig.yaml").write_text(json.dumps(rig(digit_net, matrix=matrix)))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    for words in (["run", "rig.yaml", "--out", "out"], ["run", "rig.yaml", "--out", "quiet", "-q"]):
        done = subprocess.run(
            [sys.executable, "-m", "edgerig", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "2 of 3 cells could not be measured" in done.stderr
        assert "fault of edgerig" not in done.stderr
        # The reason is told once where each cell is told as it fails, and for each cell at the end else.
        quiet = words[-1] == "-q"
        assert done.stderr.count("Unexpected") == 1 + quiet, done.stderr
        assert ("for the reasons above" in done.stderr) is not quiet
        assert ("FAILED: as digits-litert-bad" in done.stderr) is not quiet
        assert "digits-litert-local" in (tmp_path / words[3] / "report.md").read_text()
