"""Networks that keep state: reset where a sequence begins, carried within one, on every runtime and target."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.agents import serving

import edgerig
from edgerig.agent.server import Address, Agent
from edgerig.datasets.base import Dataset
from edgerig.engine.rounds.deployment import Deployment
from edgerig.engine.samples.evaluation import EvaluationSamples
from edgerig.engine.samples.sequences import Sequences
from edgerig.errors import EdgerigError, IncompatibleError, InferenceError
from edgerig.models.files import open_artifact
from edgerig.plugins import make
from edgerig.progress import Progress
from edgerig.results.bundle import Bundle
from edgerig.rig.types import Measure
from edgerig.runtimes.litert import LiteRt
from edgerig.targets.base import DeviceRun, Session
from edgerig.targets.local import Local
from edgerig.testing.networks.recurrent import running_sum_keras, running_sum_onnx, running_sum_tflite
from edgerig.testing.networks.tflite_builder import counting_network

FRAMES, START = 60, 3.0
WINDOWS = np.array([25, 1, 7, 3, 24])
QUICK: dict[str, Any] = {
    "samples": None, "warmup": 3, "rounds": 2, "seconds": 0, "profile_samples": 2, "transport_samples": 2,
}  # fmt: skip


class Forgetful(LiteRt):
    """An engine that cannot reset state."""

    name = "forgetful"
    resets_state = False


@pytest.fixture(scope="module")
def x() -> NDArray[np.float32]:
    # Sums of whole numbers are exact, in whatever order they come.
    return np.random.default_rng(5).integers(-4, 5, (FRAMES, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, x: NDArray[np.float32]) -> Path:
    folder = tmp_path_factory.mktemp("sequences")
    (folder / "counter.tflite").write_bytes(counting_network(START))
    running_sum_tflite(folder / "sum.tflite")
    running_sum_onnx(folder / "sum.onnx")
    labels = np.zeros(FRAMES, np.int64)
    labels[20:24] = 1
    np.savez(folder / "stream.npz", x_train=x, y_train=labels, x_test=x, y_test=labels, classes=np.array(list("abcd")))
    several = {"stream_test": np.repeat(np.arange(len(WINDOWS)), WINDOWS), "classes": np.array(list("abcd"))}
    np.savez(folder / "several.npz", x_train=x, y_train=labels, x_test=x, y_test=labels, **several)
    data = {"x_train": x, "y_train": np.arange(FRAMES) % 4, "x_test": x}
    np.savez(folder / "plain.npz", **data, y_test=np.arange(FRAMES) % 4)
    np.savez(folder / "cut.npz", **data, y_test=np.array([0, 1, 2, 3, 1]), windows_test=WINDOWS)
    return folder


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    with serving(Agent(Address("127.0.0.1", 0), runtimes=("litert", "micro"))) as agent:
        yield agent


def run(folder: Path, out: Path, dataset: dict[str, Any], task: Any, **more: Any) -> tuple[Any, Any]:
    model = more.pop("model", {"file": "counter.tflite"})
    model |= {"file": str(folder / model["file"])}
    rig = {"name": "t", "model": model, "dataset": dataset, "task": task}
    measure = QUICK | more.pop("measure", {})
    result = edgerig.run({**rig, "matrix": [{"runtimes": ["litert"]} | more], "measure": measure}, out=out)
    return result, [Bundle(out).samples(cell.id) for cell in result.cells]


STREAM: dict[str, Any] = {"use": "streaming", "hop": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    ["litert", "micro", "tcp", *(pytest.param(where, marks=pytest.mark.slow) for where in ("tflm", "sim"))],
)
def test_a_stream_begins_anew_and_carries_its_state(
    where: str, folder: Path, agent: Agent, x: NDArray[np.float32], tmp_path: Path
) -> None:
    """The warm-up, the profile and earlier rounds leave no trace in what is judged."""
    places = {"tcp": ("micro", str(agent.address)), "sim": ("micro", "sim:stm32f746")}
    runtime, target = places.get(where, (where, "local"))
    data = {"use": "npz", "file": str(folder / "stream.npz")}
    result, (arrays,) = run(folder, tmp_path / "out", data, STREAM, runtimes=[runtime], targets=[target])
    (cell,) = result.cells
    assert arrays["kept_frame_scores"].tobytes() == (START + np.cumsum(x, axis=0)).astype(np.float32).tobytes()
    assert len({round_.outputs for round_ in cell.rounds}) == 1
    assert cell.agreement.max_abs_error == 0.0
    assert any("it is reset where a stream begins" in text for text in result.warnings)
    if runtime == "micro":
        assert [layer.output_shape for layer in cell.layers if layer.op == "ASSIGN_VARIABLE"] == [None]


@pytest.mark.slow
def test_each_of_several_streams_begins_anew(folder: Path, x: NDArray[np.float32], tmp_path: Path) -> None:
    data = {"use": "npz", "file": str(folder / "several.npz")}
    result, (arrays,) = run(folder, tmp_path / "out", data, STREAM)
    ends = np.cumsum(WINDOWS)
    sums = [START + np.cumsum(x[end - k : end], axis=0) for end, k in zip(ends, WINDOWS, strict=True)]
    np.testing.assert_array_equal(arrays["kept_frame_scores"], np.concatenate(sums))
    assert len({round_.outputs for round_ in result.cells[0].rounds}) == 1


@pytest.mark.slow
def test_the_windows_of_a_sample_share_a_state_and_samples_do_not(
    folder: Path, x: NDArray[np.float32], tmp_path: Path
) -> None:
    data = {"use": "npz", "file": str(folder / "cut.npz")}
    result, (arrays,) = run(folder, tmp_path / "out", data, "none")
    ends = np.cumsum(WINDOWS)
    sums = [START + np.cumsum(x[end - k : end], axis=0) for end, k in zip(ends, WINDOWS, strict=True)]
    np.testing.assert_allclose(arrays["scores"], [s.mean(axis=0) for s in sums], rtol=1e-6)
    assert len({round_.outputs for round_ in result.cells[0].rounds}) == 1


@pytest.mark.slow
def test_samples_that_are_no_sequence_know_nothing_of_each_other(
    folder: Path, x: NDArray[np.float32], tmp_path: Path
) -> None:
    data = {"use": "npz", "file": str(folder / "plain.npz")}
    result, (arrays,) = run(folder, tmp_path / "out", data, "classification", measure={"samples": 40, "rounds": 1})
    np.testing.assert_array_equal(arrays["scores"], START + x[arrays["indices"]])
    assert any("it is reset at each sample" in text for text in result.warnings)


@pytest.mark.slow
def test_what_cannot_reset_state_is_refused_by_name_before_anything_is_measured(folder: Path, tmp_path: Path) -> None:
    data = {"use": "npz", "file": str(folder / "stream.npz")}
    engine = f"{__name__}:Forgetful"
    with pytest.raises(IncompatibleError, match=r"ASSIGN_VARIABLE.*and runtime '.*:Forgetful' cannot") as caught:
        run(folder, tmp_path / "out", data, STREAM, runtimes=["litert", engine])
    assert "litert" in str(caught.value.hint)
    assert "micro" in str(caught.value.hint)
    assert not list((tmp_path / "out").glob("cells/*/*"))


def test_a_device_that_does_not_know_how_is_refused_by_name(
    folder: Path, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgerig.agent import greeting
    from edgerig.wire.frame import Kind

    kinds = tuple(kind for kind in greeting.KINDS if kind != Kind.BEGIN)
    monkeypatch.setattr("edgerig.wire.client.WireClient.supports", lambda self, kind: kind in kinds)
    data = {"use": "npz", "file": str(folder / "stream.npz")}
    with pytest.raises(EdgerigError, match=r"127\.0\.0\.1.*cannot reset the state of a network"):
        run(folder, tmp_path / "out", data, STREAM, targets=[str(agent.address)])


def test_a_variable_of_unknown_beginning_is_refused_before_anything_is_measured(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "counter.tflite").write_bytes(counting_network(filled=False))
    data = {"use": "npz", "file": str(folder / "stream.npz")}
    with pytest.raises(InferenceError, match="does not say what its variable 'state' holds"):
        run(tmp_path, tmp_path / "out", data, STREAM)


class Mortal(Local):
    """This machine, whose worker is killed before the inferences with the numbers ``deaths``, warm-up and all."""

    deaths: tuple[int, ...] = ()
    count = 0

    def open(self, artifact: Any, runtime: str, options: dict[str, Any]) -> Session:
        session = super().open(artifact, runtime, options)
        session.run = self._until_death(session, session.run)  # type: ignore[method-assign]
        return session

    def _until_death(self, session: Session, run: Callable[..., DeviceRun]) -> Callable[..., DeviceRun]:
        def run_or_die(inputs: Sequence[Any], on_done: Any = None) -> DeviceRun:
            self.count += len(inputs[0])
            if self.deaths and self.count > self.deaths[0]:
                self.deaths = self.deaths[1:]
                assert session.pid is not None
                os.kill(session.pid, signal.SIGKILL)
            return run(inputs, on_done)

        return run_or_die


@pytest.mark.slow
@pytest.mark.parametrize("file", ["stream.npz", "cut.npz"])
@pytest.mark.parametrize("first", [0, 11, 30])
def test_a_device_that_was_lost_goes_on_with_the_state_that_it_had(
    file: str, first: int, folder: Path, x: NDArray[np.float32], tmp_path: Path
) -> None:
    dataset = make("dataset", "npz", Dataset, {"file": str(folder / file)})
    if file == "stream.npz":
        dataset.task, dataset.task_options = "streaming", {"hop": 0.1}
    samples, artifact = EvaluationSamples(dataset, None), open_artifact(folder / "counter.tflite")
    cell: Any = SimpleNamespace(id="cell", runtime=SimpleNamespace(use="litert", options={}))
    target = Mortal()
    target.deaths = (20, 40, 41)
    sequences, row = Sequences(samples, artifact), 0
    with Deployment(cell, artifact, target, Measure(warmup=3), Progress(), lambda _: None) as deployment:
        deployment._piece = 4
        deployment.warm_up([x[:5]])
        # An earlier run has done the first rows.
        deployment.resume(sequences, first)
        runs, row = [], first
        for chunk in np.array_split(x[first:], 3):
            for device_run in deployment.batches([chunk], row, lambda _: None, sequences):
                deployment._piece = 4
                runs.append(device_run.outputs[0])
            row += len(chunk)
        assert target.deaths == ()
        assert deployment.interruptions
    starts = [0] if file == "stream.npz" else list(np.cumsum(WINDOWS) - WINDOWS)
    sums = np.concatenate([START + np.cumsum(part, axis=0) for part in np.split(x, starts[1:])])
    np.testing.assert_array_equal(np.concatenate(runs), sums[first:])
    target.close()


FED_BACK = {"before": "next"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    [
        "litert",
        "onnxruntime",
        "micro",
        pytest.param("tflm", marks=pytest.mark.slow),
        "tcp",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("keras", "sim")),
    ],
)
def test_an_output_that_feeds_an_input_is_carried_and_begins_at_nothing(
    where: str, folder: Path, agent: Agent, x: NDArray[np.float32], tmp_path: Path
) -> None:
    elsewhere = {"tcp": ("litert", str(agent.address)), "sim": ("micro", "sim:stm32f746")}
    runtime, target = elsewhere.get(where, (where, "local"))
    files = {"onnxruntime": "sum.onnx", "keras": "sum.keras"}
    if where == "keras":
        running_sum_keras(folder / "sum.keras")
    model = {"file": files.get(where, "sum.tflite"), "state": FED_BACK}
    data = {"use": "npz", "file": str(folder / "stream.npz")}
    result, (arrays,) = run(folder, tmp_path / "out", data, STREAM, model=model, runtimes=[runtime], targets=[target])
    (cell,) = result.cells
    np.testing.assert_array_equal(arrays["kept_frame_scores"], 2 * np.cumsum(x, axis=0))
    assert len({round_.outputs for round_ in cell.rounds}) == 1
    assert cell.agreement.max_abs_error == 0.0
    assert cell.artifact.state == FED_BACK
    assert any("keeps state between inferences (before from next)" in text for text in result.warnings)


@pytest.mark.slow
def test_windows_and_single_samples_begin_at_nothing_too(folder: Path, x: NDArray[np.float32], tmp_path: Path) -> None:
    model = {"file": "sum.onnx", "state": FED_BACK, "output": "score"}
    data = {"use": "npz", "file": str(folder / "plain.npz")}
    measure = {"rounds": 1}
    _, (arrays,) = run(
        folder, tmp_path / "out", data, "classification", model=model, runtimes=["onnxruntime"], measure=measure
    )
    np.testing.assert_array_equal(arrays["scores"], 2 * x)


@pytest.mark.parametrize(
    ("state", "more", "said"),
    [
        ({"befor": "next"}, {}, "'befor' is no input; there are x, before"),
        ({"before": "nex"}, {}, "'nex' is no output; there are next, score"),
        ({"before": "next", "x": "score"}, {}, "no input is left"),
        (FED_BACK, {"compilers": ["int8"]}, "does not calibrate what is carried"),
        ({}, {"runtimes": [{"use": "litert", "state": FED_BACK}]}, "'state' is said of a model"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(
    state: dict[str, str], more: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    model = {"file": "sum.tflite", "state": state}
    data = {"use": "npz", "file": str(folder / "stream.npz")}
    with pytest.raises(IncompatibleError, match=said):
        run(folder, tmp_path / "out", data, STREAM, model=model, **more)
    assert not (tmp_path / "out" / "cells").exists()
