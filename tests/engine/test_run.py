import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import edgerig
from edgerig import files
from edgerig.datasets.base import Dataset
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.errors import IncompatibleError, InferenceError, StorageError, TargetError, UsageError
from edgerig.measure import Measurement, Unavailable
from edgerig.plugins import make
from edgerig.results.bundle import Bundle
from edgerig.runtimes.litert import LiteRt
from edgerig.testing.networks import dense_weights

SAMPLES = 60


def rig(net: Path, **changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": "t",
        "model": {"file": str(net)},
        "dataset": "mnist",
        "matrix": [{"runtimes": ["litert"]}],
        "measure": {
            "samples": SAMPLES,
            "warmup": 2,
            "rounds": 1,
            "seconds": 0,
            "profile_samples": 3,
            "transport_samples": 3,
        },
    }
    data.update(changes)
    return data


def starts(result: Any) -> dict[str, str]:
    return {cell.id: cell.started + str(cell.seconds) for cell in result.cells}


@pytest.mark.slow
def test_a_run_measures_and_keeps_everything(digit_net: Path, tmp_path: Path) -> None:
    result = edgerig.run(rig(digit_net), out=tmp_path / "out")
    (cell,) = result.cells
    assert cell.id == "digits-litert-local"
    for quantity in (cell.latency.load, cell.latency.first, cell.latency.steady, cell.latency.transport):
        assert isinstance(quantity, Measurement)
        assert quantity.kind == "measured"
        assert quantity.unit == "s"
        assert quantity.clock
        assert quantity.value > 0
    bundle = Bundle(tmp_path / "out")
    assert bundle.result() == result
    arrays = bundle.samples(cell.id)
    assert {len(arrays[name]) for name in ("scores", "predictions", "labels", "indices")} == {SAMPLES}
    assert len(arrays["times_ns"]) == SAMPLES
    assert (arrays["times_ns"] > 0).all()
    assert Path(cell.artifact.path).read_bytes() == digit_net.read_bytes()


@pytest.mark.slow
def test_a_block_with_fewer_samples_is_compared_on_those(digit_net: Path, tmp_path: Path) -> None:
    few = {"runtimes": ["litert"], "targets": [{"use": "local", "name": "few"}], "samples": 20}
    matrix = [{"runtimes": ["litert"]}, few]
    result = edgerig.run(rig(digit_net, matrix=matrix), out=tmp_path / "run")
    whole, part = result.cells
    assert (whole.measured_samples, part.measured_samples) == (SAMPLES, 20)
    assert not isinstance(part.agreement, Unavailable)
    assert (part.agreement.samples, part.agreement.same_class, part.quality.samples) == (20, 1.0, 20)
    bundle = Bundle(tmp_path / "run")
    both = [
        dict(zip(one["indices"], one["scores"].tolist(), strict=True))
        for one in map(bundle.samples, (whole.id, part.id))
    ]
    assert len(both[1]) == 20
    assert all(both[0][index] == scores for index, scores in both[1].items())


@pytest.mark.slow
def test_quality_is_that_of_the_network_itself(digit_net: Path, tmp_path: Path) -> None:
    result = edgerig.run(rig(digit_net), out=tmp_path / "out")
    tests = EvaluationSamples(make("dataset", "mnist", Dataset), SAMPLES)
    weights, bias = dense_weights(784, 10)
    pixels = np.stack([tests.samples.raw(i) for i in range(SAMPLES)]).reshape(SAMPLES, 784) / 255
    accuracy = float(((pixels @ weights.T + bias).argmax(axis=1) == tests.samples.labels).mean())
    quality = result.cells[0].quality
    assert quality.metrics[0].name == "accuracy"
    assert quality.metrics[0].value == pytest.approx(accuracy)
    assert sum(map(sum, quality.confusion)) == SAMPLES
    assert result.cells[0].agreement.same_class == 1.0  # type: ignore[union-attr]


@pytest.mark.slow
def test_fast_networks_are_measured_for_long_enough(digit_net: Path, tmp_path: Path) -> None:
    data = rig(digit_net)
    data["measure"]["seconds"] = 0.05
    edgerig.run(data, out=tmp_path / "out")
    times = Bundle(tmp_path / "out").samples("digits-litert-local")["times_ns"]
    assert times.sum() >= 0.05e9
    assert len(times) % SAMPLES == 0


def test_nobody_waits_for_an_hour_of_transport_to_get_a_second_of_inference(
    digit_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerig.engine.rounds.steady.PATIENCE", 0.0)
    data = rig(digit_net)
    data["measure"]["seconds"] = 1000
    edgerig.run(data, out=tmp_path / "out")
    assert len(Bundle(tmp_path / "out").samples("digits-litert-local")["times_ns"]) == SAMPLES


@pytest.mark.slow
def test_a_second_run_measures_anew_and_builds_nothing(digit_net: Path, tmp_path: Path) -> None:
    data = rig(digit_net, matrix=[{"compilers": ["int8"], "runtimes": ["litert"]}])
    first = edgerig.run(data, out=tmp_path / "out")
    second = edgerig.run(data, out=tmp_path / "out")
    assert set(second.stages.values()) == {"cached"}
    assert starts(first) != starts(second)
    assert Bundle(tmp_path / "out.1").result() == first
    assert first.cells[0].artifact.sha256 == second.cells[0].artifact.sha256


@pytest.mark.slow
def test_what_was_damaged_in_the_cache_is_built_anew_and_said(digit_net: Path, tmp_path: Path, heard: Any) -> None:
    data = rig(digit_net, matrix=[{"compilers": ["int8"], "runtimes": ["litert"]}])
    first = edgerig.run(data, out=tmp_path / "out")
    kept = {path: path.read_bytes() for path in (files.cache_folder() / "stages").rglob("predictions.npy")}
    for path, content in kept.items():
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 0x80]))
    network = first.cells[0].artifact.sha256
    for path in (files.cache_folder() / "stages").rglob("*.tflite"):
        if files.sha256_file(path) == network:
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    second = edgerig.run(data, out=tmp_path / "out", progress=heard)
    assert set(second.stages.values()) == {"built"}
    assert sum("is damaged" in line and "built anew" in line for line in heard.lines) == 2
    assert second.cells[0].agreement == first.cells[0].agreement
    assert second.cells[0].artifact.sha256 == network


@pytest.mark.slow
def test_a_damaged_copy_in_the_bundle_is_mended_on_resume(digit_net: Path, tmp_path: Path) -> None:
    data = rig(digit_net, matrix=[{"runtimes": ["litert", {"use": "litert", "threads": 2}]}])
    first = edgerig.run(data, out=tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    (tmp_path / "out" / "cells" / first.cells[1].id / "result.json").unlink()
    copy = Path(first.cells[0].artifact.path)
    copy.write_bytes(copy.read_bytes()[:-1] + b"?")
    second = edgerig.run(data, out=tmp_path / "out", resume=True)
    assert len(second.cells) == 2
    assert files.sha256_file(copy) == first.cells[0].artifact.sha256


@pytest.mark.slow
def test_resuming_measures_only_what_is_not_finished(digit_net: Path, tmp_path: Path) -> None:
    data = rig(digit_net, matrix=[{"runtimes": ["litert", {"use": "litert", "threads": 2}]}])
    first = edgerig.run(data, out=tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    (tmp_path / "out" / "cells" / first.cells[1].id / "result.json").unlink()
    second = edgerig.run(data, out=tmp_path / "out", resume=True)
    assert starts(second)[first.cells[0].id] == starts(first)[first.cells[0].id]
    assert starts(second)[first.cells[1].id] != starts(first)[first.cells[1].id]
    assert any("resumed" in text for text in second.interruptions)


def test_resuming_a_finished_run_changes_nothing(digit_net: Path, tmp_path: Path) -> None:
    first = edgerig.run(rig(digit_net), out=tmp_path / "out")
    assert edgerig.run(rig(digit_net), out=tmp_path / "out", resume=True) == first


def test_an_unfinished_run_is_not_overwritten(digit_net: Path, tmp_path: Path) -> None:
    edgerig.run(rig(digit_net), out=tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    with pytest.raises(UsageError, match="--resume"):
        edgerig.run(rig(digit_net), out=tmp_path / "out")


def test_another_rig_cannot_be_resumed(digit_net: Path, tmp_path: Path) -> None:
    edgerig.run(rig(digit_net), out=tmp_path / "out")
    with pytest.raises(UsageError, match="another rig"):
        edgerig.run(rig(digit_net, name="other"), out=tmp_path / "out", resume=True)


def test_a_folder_that_is_no_bundle_is_left_alone(digit_net: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(StorageError, match="is no bundle"):
        edgerig.run(rig(digit_net), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]


def test_two_runs_do_not_share_a_folder(digit_net: Path, tmp_path: Path) -> None:
    other = Bundle(tmp_path / "out")
    other.lock()
    try:
        with pytest.raises(UsageError, match="Another run"):
            edgerig.run(rig(digit_net), out=tmp_path / "out")
    finally:
        other.unlock()


def test_a_device_that_is_not_there_fails_the_run_before_anything_is_measured(digit_net: Path, tmp_path: Path) -> None:
    data = rig(digit_net, matrix=[{"runtimes": ["litert"], "targets": ["local", "tcp://127.0.0.1:1"]}])
    with pytest.raises(TargetError, match="edgerig agent --listen"):
        edgerig.run(data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_run_that_fails_before_its_first_cell_leaves_the_folder_as_it_was(digit_net: Path, tmp_path: Path) -> None:
    kept = edgerig.run(rig(digit_net), out=tmp_path / "out")
    absent = rig(digit_net, matrix=[{"runtimes": ["litert"], "targets": ["tcp://127.0.0.1:1"]}])
    with pytest.raises(TargetError):
        edgerig.run(absent, out=tmp_path / "out")
    assert Bundle(tmp_path / "out").result() == kept
    assert [path.name for path in tmp_path.glob("out*")] == ["out"]


@pytest.mark.slow
def test_what_is_left_of_a_run_that_measured_nothing_stands_in_no_ones_way(digit_net: Path, tmp_path: Path) -> None:
    edgerig.run(rig(digit_net, name="other"), out=tmp_path / "out")
    (tmp_path / "out" / "results.json").unlink()
    shutil.rmtree(tmp_path / "out" / "cells")
    assert edgerig.run(rig(digit_net), out=tmp_path / "out").name == "t"
    assert not (tmp_path / "out.1").exists()


def test_a_dataset_of_another_shape_is_refused(digit_net: Path, tmp_path: Path) -> None:
    data = rig(digit_net, dataset={"use": "random", "shape": [5, 5, 1]})
    with pytest.raises(IncompatibleError, match=r"samples of shape \[5, 5, 1\]"):
        edgerig.run(data, out=tmp_path / "out")


@pytest.mark.slow
def test_random_inputs_measure_speed_and_no_quality(digit_net: Path, tmp_path: Path) -> None:
    result = edgerig.run(rig(digit_net, dataset={"use": "random", "shape": [784]}), out=tmp_path / "out")
    assert result.cells[0].quality.metrics == ()
    assert isinstance(result.cells[0].latency.steady, Measurement)


@pytest.mark.slow
def test_a_quantized_file_alone_has_no_float_model_to_agree_with(digit_net: Path, tmp_path: Path) -> None:
    compiled = edgerig.run(rig(digit_net, matrix=[{"compilers": ["int8"], "runtimes": ["litert"]}]), out=tmp_path / "a")
    file = tmp_path / "alone.tflite"
    file.write_bytes(Path(compiled.cells[0].artifact.path).read_bytes())
    alone = edgerig.run(rig(file), out=tmp_path / "b").cells[0].agreement
    assert isinstance(alone, Unavailable)
    assert "float model" in alone.reason
    given = (
        edgerig.run(rig(file, model={"file": str(file), "reference": str(digit_net)}), out=tmp_path / "c")
        .cells[0]
        .agreement
    )
    assert not isinstance(given, Unavailable)
    assert given.same_class > 0.8


class Broken(LiteRt):
    """Loads, and refuses to run, as long as a file says so."""

    name = "broken"
    switch: ClassVar[str] = "EDGERIG_TEST_SWITCH"

    def _calls(self) -> Any:
        if Path(os.environ[self.switch]).exists():
            raise InferenceError("the engine is broken")
        return super()._calls()


@pytest.mark.slow
def test_a_cell_that_fails_costs_no_other_and_is_tried_again(
    digit_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = tmp_path / "switch"
    switch.touch()
    monkeypatch.setenv(Broken.switch, str(switch))
    name = f"{__name__}:Broken"
    data = rig(digit_net, matrix=[{"runtimes": [{"use": name, "name": "broken"}, "litert"]}])
    with pytest.raises(InferenceError, match="1 of 2 cells could not be measured") as caught:
        edgerig.run(data, out=tmp_path / "out")
    assert "the engine is broken" in str(caught.value)
    partial = Bundle(tmp_path / "out").result()
    assert [cell.id for cell in partial.cells] == ["digits-litert-local"]
    assert partial.finished is None
    assert partial.failures[0].id == "digits-broken-local"
    switch.unlink()
    again = edgerig.run(data, out=tmp_path / "out", resume=True)
    assert len(again.cells) == 2
    assert not again.failures
    assert starts(again)["digits-litert-local"] == starts(partial)["digits-litert-local"]


class TooBig(Broken):
    def _calls(self) -> Any:
        table = "\n".join(f"  part {row:<30}{row * 1000:>12,} B" for row in range(40))
        raise InferenceError(f"The firmware does not fit on a board:\n{table}", "Take another board.")


@pytest.mark.slow
def test_a_failure_with_a_table_is_one_short_line_of_the_summary_and_whole_in_the_bundle(
    digit_net: Path, tmp_path: Path
) -> None:
    data = rig(digit_net, matrix=[{"runtimes": [{"use": f"{__name__}:TooBig", "name": "big"}]}])
    with pytest.raises(InferenceError, match="1 of 1 cells could not be measured") as caught:
        edgerig.run(data, out=tmp_path / "out")
    lines = caught.value.message.splitlines()
    assert lines[1:] == ["  - digits-big-local: The firmware does not fit on a board. Take another board."]
    assert "cells/*/failure.json" in (caught.value.hint or "")
    kept = Bundle(tmp_path / "out").read_failure("digits-big-local")
    assert kept is not None
    assert len(kept.message.splitlines()) == 42
    assert "part 39" in kept.message


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    digit_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, out = os.fsync, tmp_path / "out"

    def full(handle: int) -> None:
        if "cells" in str(Path(f"/proc/self/fd/{handle}").readlink()):
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="The disk is full"):
        edgerig.run(rig(digit_net), out=out)
    assert not [path for path in (out / "cells").rglob("*") if path.is_file()]
    monkeypatch.setattr(os, "fsync", real)
    assert len(edgerig.run(rig(digit_net), out=out, resume=True).cells) == 1


def command(tmp_path: Path, data: dict[str, Any], *more: str) -> subprocess.Popen[str]:
    """``edgerig run`` as a process of its own."""
    (tmp_path / "rig.yaml").write_text(json.dumps(data))
    arguments = [
        sys.executable,
        "-m",
        "edgerig",
        "run",
        str(tmp_path / "rig.yaml"),
        "--out",
        str(tmp_path / "out"),
        *more,
    ]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def many_cells(digit_net: Path) -> dict[str, Any]:
    runtimes = [{"use": "litert", "name": f"r{i}"} for i in range(3)]
    data = rig(digit_net, matrix=[{"runtimes": runtimes}])
    data["measure"] |= {"seconds": 0.01, "profile": False}
    return data


def wait_for_cells(tmp_path: Path, count: int, process: subprocess.Popen[str]) -> list[Path]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        found = list((tmp_path / "out" / "cells").glob("*/result.json"))
        if len(found) >= count:
            return found
        time.sleep(0.01)
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
@pytest.mark.parametrize("finished", [0, 1, 2])
def test_a_run_killed_at_any_moment_loses_no_finished_cell(digit_net: Path, tmp_path: Path, finished: int) -> None:
    data = many_cells(digit_net)
    process = command(tmp_path, data)
    if finished:
        wait_for_cells(tmp_path, finished, process)
    else:
        while not (tmp_path / "out" / "bundle.json").exists():
            time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    kept = {path: path.read_bytes() for path in (tmp_path / "out" / "cells").glob("*/result.json")}
    resumed = command(tmp_path, data, "--resume", "--json")
    out, err = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, err
    assert len(json.loads(out)["cells"]) == 3
    for path, content in kept.items():
        assert path.read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_says_what_is_kept_and_leaves_no_process(digit_net: Path, tmp_path: Path, number: int) -> None:
    process = command(tmp_path, many_cells(digit_net))
    wait_for_cells(tmp_path, 1, process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "cells are finished and kept" in err
    assert "--resume" in err
    assert "Traceback" not in err
    children = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in children.splitlines() if f" {process.pid} " in line]
    assert not list((tmp_path / "out").rglob("*.tmp*"))
