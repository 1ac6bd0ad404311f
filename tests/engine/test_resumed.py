"""A run that goes on: what was measured before is taken only where it is of the same thing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import edgerig
from edgerig.artifact import Origin, Preprocessing
from edgerig.datasets.npz import Npz, NpzSettings
from edgerig.engine.api import plan
from edgerig.engine.references.types import ReferenceRun
from edgerig.engine.rounds import context as contexts
from edgerig.engine.rounds import score
from edgerig.engine.rounds.context import CellContext
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import Interrupted, UsageError
from edgerig.measure.kinds import Unavailable
from edgerig.models.files import open_artifact
from edgerig.results.types import RunResult
from edgerig.rig.types import Measure, Part
from edgerig.targets.base import LoadReport
from edgerig.testing import networks

MEASURE = {"warmup": 0, "rounds": 1, "seconds": 0, "profile": False, "transport_samples": 0}


@pytest.fixture
def data(tmp_path: Path) -> dict[str, str]:
    """200 samples of the classes that the network of seed 0 gives them."""
    weights, bias = networks.dense_weights(8, 4)
    x = np.random.default_rng(0).normal(0, 1, (200, 8)).astype(np.float32)
    y = (x @ weights.T + bias).argmax(axis=1)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    return {"use": "npz", "file": str(tmp_path / "data.npz")}


def run(model: Any, data: dict[str, str], out: Path, *, resume: bool = False) -> RunResult:
    matrix = {"runtimes": [{"use": "litert", "name": name} for name in "ab"]}
    return edgerig.run({"model": model, "dataset": data, "matrix": matrix, "measure": MEASURE}, out=out, resume=resume)


def undo(out: Path) -> None:
    """The second cell is not finished."""
    (out / "results.json").unlink()
    (second,) = out.glob("cells/*-b-local/result.json")
    second.unlink()


@pytest.mark.slow
def test_host_time_that_an_earlier_session_took_is_no_zero(
    tmp_path: Path, data: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is stopped when all samples have passed and nothing was judged yet."""
    model, out = str(networks.dense_tflite(tmp_path / "net.tflite")), tmp_path / "out"

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(score, "tell_output", stopped)
        with pytest.raises(Interrupted):
            run(model, data, out)
    result = run(model, data, out, resume=True)
    for cell, resumed in zip(result.cells, (True, False), strict=True):
        for time in (cell.latency.preprocessing, cell.latency.postprocessing):
            assert isinstance(time, Unavailable) == resumed
            assert resumed or time.n == 200  # type: ignore[union-attr]
        assert cell.quality.metrics[0].value == 1.0


def described(path: Path, preprocessing: Preprocessing) -> None:
    artifact = open_artifact(path)
    origins = (Origin(tool="train", options={}),)
    msgspec.structs.replace(artifact, preprocessing=preprocessing, classes=("0", "1", "2", "3"), origins=origins).save()


@pytest.mark.slow
def test_a_cell_that_ran_with_other_preprocessing_is_measured_again(tmp_path: Path, data: dict[str, str]) -> None:
    path, out = networks.dense_tflite(tmp_path / "net.tflite"), tmp_path / "out"
    described(path, Preprocessing(scale=-1.0))
    assert all(cell.quality.metrics[0].value < 0.5 for cell in run(str(path), data, out).cells)
    undo(out)
    described(path, Preprocessing())
    assert all(cell.quality.metrics[0].value == 1.0 for cell in run(str(path), data, out, resume=True).cells)


@pytest.mark.slow
def test_a_run_is_not_resumed_against_another_float_model(tmp_path: Path, data: dict[str, str]) -> None:
    path, out = networks.dense_tflite_int8(tmp_path / "net.tflite"), tmp_path / "out"
    reference = networks.dense_tflite(tmp_path / "float.tflite")
    model = {"file": str(path), "reference": str(reference)}
    run(model, data, out)
    undo(out)
    assert len(run(model, data, out, resume=True).cells) == 2
    undo(out)
    networks.dense_tflite(reference, seed=1)
    with pytest.raises(UsageError, match="compared with another float model"):
        run(model, data, out, resume=True)


def test_pieces_of_another_engine_or_other_code_are_another_series(
    tmp_path: Path, data: dict[str, str], monkeypatch: pytest.MonkeyPatch, litert_environment: Path
) -> None:
    path = networks.dense_tflite(tmp_path / "net.tflite")
    rig = {"model": str(path), "dataset": data, "matrix": {"runtimes": ["litert"]}, "measure": MEASURE}
    (cell,) = plan(rig).cells
    artifact = open_artifact(path)
    tests = EvaluationSamples(Npz(NpzSettings(file=data["file"])), 50)
    device = LoadReport(
        inputs=artifact.inputs,
        outputs=artifact.outputs,
        load_seconds=0.0,
        sha256=artifact.sha256,
        runtime="litert",
        runtime_version="2.1",
        clock="c",
        invoke_method="m",
        threads=1,
    )
    anything: Any = None
    context = CellContext(
        cell=cell,
        artifact=artifact,
        samples=tests,
        target=anything,
        reference=ReferenceRun(Unavailable("none was given")),
        measure=Measure(),
        scratch=tmp_path,
        commands=(),
        progress=anything,
    )
    key = context.series(device)
    assert key == context.series(device)
    for changes in ({"runtime_version": "2.2"}, {"threads": 2}, {"clock": "d"}):
        assert key != context.series(msgspec.structs.replace(device, **changes))
    monkeypatch.syspath_prepend(tmp_path)
    layers = tmp_path / "layers_of_the_user.py"
    layers.write_text("SIZE = 1\n")
    runtime = Part("keras", {"custom": "layers_of_the_user"})
    keras = msgspec.structs.replace(context, cell=msgspec.structs.replace(cell, runtime=runtime))
    key_of_layers = keras.series(device)
    assert key_of_layers == keras.series(device)
    layers.write_text("SIZE = 2\n")
    assert key_of_layers != keras.series(device), "code that runs with the network is another's"
    there = Part("litert", {"python": str(litert_environment)})
    elsewhere = msgspec.structs.replace(context, cell=msgspec.structs.replace(cell, runtime=there))
    key_of_versions = elsewhere.series(device)
    assert key_of_versions == elsewhere.series(device)
    added = next(litert_environment.glob("lib/python3*/site-packages")) / "later-1.0.dist-info"
    added.mkdir()
    try:
        (added / "METADATA").write_text("Metadata-Version: 2.1\nName: later\nVersion: 1.0\n")
        assert key_of_versions != elsewhere.series(device), "other packages are installed there"
    finally:
        shutil.rmtree(added)
    monkeypatch.setattr(contexts, "own_code", lambda: "another checkout")
    assert key != context.series(device)


RUNTIME = """
from pathlib import Path
from typing import Annotated

import msgspec

from edgerig.errors import InferenceError
from edgerig.runtimes.litert import LiteRt, LiteRtSettings


class LoggedSettings(LiteRtSettings, frozen=True, kw_only=True):
    log: Annotated[str, msgspec.Meta(description="a file to which each load adds a line")] = ""


class Logged(LiteRt):
    name, summary = "logged", "LiteRT that logs its loads, the second of which fails"
    Settings = LoggedSettings

    def _load(self, path: Path) -> None:
        log = Path(self.settings.log)
        lines = log.read_text() if log.exists() else ""
        log.write_text(lines + "EDITION ")
        if len(lines.split()) == 1:
            raise InferenceError("the second load fails")
        super()._load(path)
"""


@pytest.mark.slow
def test_rounds_of_a_runtime_whose_code_was_edited_are_measured_anew(tmp_path: Path, data: dict[str, str]) -> None:
    """Each run is a process of its own, since a process has the code that it once imported. That the runtime writes a
    file which its settings name makes its rounds no others."""
    networks.dense_tflite(tmp_path / "net.tflite")
    log = tmp_path / "loads.log"
    rig = {
        "model": "net.tflite",
        "dataset": data,
        "matrix": {"runtimes": [{"use": "logged_runtime:Logged", "log": str(log)}]},
        "measure": MEASURE | {"rounds": 3},
    }
    (tmp_path / "rig.yaml").write_text(json.dumps(rig))

    def run_edition(edition: str, out: str, *options: str) -> int:
        (tmp_path / "logged_runtime.py").write_text(RUNTIME.replace("EDITION", edition))
        command = [sys.executable, "-m", "edgerig", "run", "rig.yaml", "--out", out, *options]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False).returncode

    assert run_edition("first", "out") != 0
    shutil.copytree(tmp_path / "out", tmp_path / "edited")
    assert run_edition("first", "out", "--resume") == 0
    assert run_edition("second", "edited", "--resume") == 0
    loads = log.read_text().split()
    assert loads[:2] == ["first", "first"], "the first round and the one that failed"
    assert loads.count("first") == 4, "the other two rounds"
    assert loads.count("second") == 4, "one that met the rounds of other code, and all three"


def stop_after(cells: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stops the next run when that many cells are judged and the next one's samples have passed."""
    real, passed = score.tell_output, []

    def told(*arguments: Any) -> Any:
        passed.append(arguments)
        if len(passed) > cells:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(score, "tell_output", told)


@pytest.mark.slow
@pytest.mark.parametrize(("cells", "other"), [(0, False), (0, True), (1, True), (1, False)])
def test_what_cannot_be_gone_on_with_stands_in_nobody_s_way(
    tmp_path: Path, data: dict[str, str], monkeypatch: pytest.MonkeyPatch, cells: int, other: bool
) -> None:
    """A run of another plan is moved aside; what is measured of the same plan is kept, a part of a round, too."""
    model, out = str(networks.dense_tflite(tmp_path / "net.tflite")), tmp_path / "out"
    with monkeypatch.context() as patch:
        stop_after(cells, patch)
        with pytest.raises(Interrupted):
            run(model, data, out)
    portions = {path: path.read_bytes() for path in out.glob("cells/*/partial/*.npz")}
    assert portions, "the cell under way has measured a part of its first round"
    data |= {"mean": "0.5"} if other else {}
    if not other:
        with pytest.raises(UsageError, match="Go on with --resume"):
            run(model, data, out)
        assert all(path.read_bytes() == measured for path, measured in portions.items())
        assert len(run(model, data, out, resume=True).cells) == 2
        return
    assert len(run(model, data, out).cells) == 2
    assert (tmp_path / "out.1" / "bundle.json").is_file()
    assert len(list((tmp_path / "out.1").glob("cells/*/result.json"))) == cells
